import type { CostConstants } from './constants.ts';

/**
 * Where the nodes' publications come from. `one`: a server. `cluster`: the servers of a cluster share the nodes, and the first has the producers; only for what is
 * not stored. `mirrors`: the first server has the log, and all nodes are at servers that mirror it.
 */
export type NatsLayout =
  | { readonly kind: 'one' }
  | { readonly kind: 'cluster'; readonly servers: number }
  | { readonly kind: 'mirrors'; readonly mirrors: number };

/** What NATS has to do. */
export interface NatsWork {
  readonly nodes: number;
  /** Publications a second of all topics. */
  readonly publicationsPerSecond: number;
  /** Those that each node gets. */
  readonly ofNodePerSecond: number;
  /** Of a message, with its subject and headers. */
  readonly messageBytes: number;
  readonly durable: boolean;
}

/** What one server does in a second. */
export interface ServerLoad {
  /** Publications that it takes from producers or from another server's log, and stores where they are durable. */
  readonly taken: number;
  /** Messages that it sends: to nodes, and to other servers. */
  readonly sent: number;
  readonly bitsPerSecond: number;
  /** Of all cores. */
  readonly cores: number;
}

/** A server of eight cores at half of its time. */
export const NATS_CORES_MAX = 4;
/** Half of a 10 Gbit/s link. */
export const NATS_BITS_MAX = 5e9;
const SERVERS_MAX = 1000;

/**
 * Follows a second's publications through the servers, message by message. Pure.
 *
 * A log sends each follower a message of its own: in a cluster from the server that leads the log, through the server that the node is at, so more servers do not
 * help it. What is not stored goes once to each server. A mirror takes each publication once, and serves its nodes itself.
 */
export function simulateNats(constants: NatsCosts, work: NatsWork, layout: NatsLayout): ServerLoad[] {
  const { nodes, publicationsPerSecond: all, ofNodePerSecond: ofNode } = work;
  const servers = Array.from({ length: serversOf(layout) }, () => ({ taken: 0, sent: 0 }));
  const [first] = servers as [Counted];
  first.taken += all;
  const hosts = layout.kind === 'mirrors' ? servers.slice(1) : servers;
  if (layout.kind === 'mirrors') for (const mirror of hosts) passOn(first, mirror, all);
  for (const [at, host] of hosts.entries()) {
    const own = Math.floor(nodes / hosts.length) + (at < nodes % hosts.length ? 1 : 0);
    // One message for all of its nodes.
    if (layout.kind === 'cluster' && host !== first && own > 0) passOn(first, host, Math.min(all, own * ofNode));
    host.sent += own * ofNode;
  }
  return servers.map((counted) => loadOf(constants, work, counted));
}

/** The smallest layout in which no server has too much to do; undefined: the first server has too much in any. Pure. */
export function smallestLayout(constants: NatsCosts, work: NatsWork): NatsLayout | undefined {
  const fits = (layout: NatsLayout) =>
    simulateNats(constants, work, layout).every(({ cores, bitsPerSecond }) => cores <= NATS_CORES_MAX && bitsPerSecond <= NATS_BITS_MAX);
  const larger = (count: number): NatsLayout => (work.durable ? { kind: 'mirrors', mirrors: count } : { kind: 'cluster', servers: count });
  if (fits({ kind: 'one' })) return { kind: 'one' };
  for (let count = 2; count <= Math.min(SERVERS_MAX, work.nodes); count++) if (fits(larger(count))) return larger(count);
  return undefined;
}

export type NatsCosts = Pick<CostConstants, 'natsPublicationUs' | 'natsMessageUs'>;

interface Counted {
  taken: number;
  sent: number;
}

function serversOf(layout: NatsLayout): number {
  switch (layout.kind) {
    case 'one':
      return 1;
    case 'cluster':
      return layout.servers;
    case 'mirrors':
      return 1 + layout.mirrors;
  }
}

function passOn(from: Counted, to: Counted, messages: number): void {
  from.sent += messages;
  to.taken += messages;
}

function loadOf({ natsPublicationUs, natsMessageUs }: NatsCosts, { messageBytes }: NatsWork, { taken, sent }: Counted): ServerLoad {
  return { taken, sent, bitsPerSecond: 8 * sent * messageBytes, cores: (taken * natsPublicationUs + sent * natsMessageUs) / 1e6 };
}
