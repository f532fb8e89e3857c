import { childScript } from '../build.ts';
import { Child } from '../core/rpc.ts';
import type { RunningServer } from '../servers/server.ts';
import type { ConnectReport, SwarmSettings, WindowReport } from '../swarm/settings.ts';
import type { Group } from './types.ts';

/** Below the limit of 20,000 descriptors a process. */
const CONNECTIONS_PER_PROCESS_MAX = 17_000;
/** Latencies of about so many members of a group are kept. */
const SAMPLED_MEMBERS = 500;
const IN_FLIGHT_DEFAULT = 128;

export interface SwarmOptions {
  readonly payloadBytes: number;
  readonly everyLatency: boolean;
  readonly keys: number;
  /** Connections being opened at once. */
  readonly inFlightMax?: number;
  /** They are opened only, and subscribe with {@link GroupSwarm.subscribe}. */
  readonly later?: boolean;
}

/** The processes that hold one group's connections; small groups get one of their own, so that a big one's reads do not delay theirs. */
export class GroupSwarm {
  readonly group: Group;
  readonly #children: Child[] = [];
  readonly #settings: SwarmSettings[] = [];

  constructor(server: RunningServer, group: Group, options: SwarmOptions) {
    this.group = group;
    const sampleEvery = options.everyLatency ? 1 : Math.max(1, Math.floor(group.members / SAMPLED_MEMBERS));
    let firstConnection = 0;
    for (const { port, count } of share(group.members, server.ports)) {
      this.#children.push(new Child(`swarm ${group.name} ${this.#children.length}`, childScript('swarm')));
      this.#settings.push({
        count,
        port,
        dialect: server.dialect,
        subscription: {
          topic: group.topic,
          ...(group.maxRateHz === undefined ? {} : { maxRateHz: group.maxRateHz }),
          ...(group.presence === undefined ? {} : { presence: group.presence }),
        },
        sampleEvery,
        keys: options.keys,
        ...(group.watch === undefined ? {} : { watch: { ...group.watch, firstConnection } }),
        ...(group.alsoFollows === undefined ? {} : { alsoFollows: group.alsoFollows }),
        ...(server.tokenSecret === undefined ? {} : { tokenSecret: server.tokenSecret }),
        later: options.later ?? false,
        payloadBytes: group.payloadBytes ?? options.payloadBytes,
        inFlightMax: options.inFlightMax ?? IN_FLIGHT_DEFAULT,
      });
      firstConnection += count;
    }
  }

  get first(): Child {
    return this.#children[0]!;
  }

  /** @throws Error when not every member is subscribed, here and below; where that comes later: not open */
  connect(): Promise<readonly ConnectReport[]> {
    return this.#joinAll('connect', (i) => this.#settings[i]);
  }

  subscribe(): Promise<readonly ConnectReport[]> {
    return this.#joinAll('subscribe', () => ({}));
  }

  /** To the servers that are there now, each connection with the positions that it had. */
  reconnect({ ports }: RunningServer): Promise<readonly ConnectReport[]> {
    const shares = share(this.group.members, ports);
    return this.#joinAll('reconnect', (i) => ({ port: shares[i]!.port }));
  }

  async #joinAll(method: string, paramsOf: (i: number) => unknown): Promise<readonly ConnectReport[]> {
    const reports: ConnectReport[] = [];
    for (const [i, child] of this.#children.entries()) {
      const report = await child.call<ConnectReport>(method, paramsOf(i));
      reports.push(report);
      if (report.closed > 0) throw new Error(`${report.closed} of ${this.#settings[i]!.count} connections failed: ${report.refusal}`);
    }
    return reports;
  }

  /** All of its connections subscribe in one second, and unsubscribe in the next. */
  async churn(durationMs: number): Promise<void> {
    await Promise.all(this.#children.map((child) => child.call('churn', { durationMs })));
  }

  /** @param sequence what every member now expects; -1: as it stands */
  async openWindow(sequence: number): Promise<void> {
    await Promise.all(this.#children.map((child) => child.call('openWindow', { sequence })));
  }

  closeWindow(sequence: number, idleMs: number): Promise<readonly WindowReport[]> {
    return Promise.all(this.#children.map((child) => child.call<WindowReport>('closeWindow', { sequence, idleMs })));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }
}

/** Spreads members over ports, and over processes where one can't hold them. */
export function share(members: number, ports: readonly number[]): { port: number; count: number }[] {
  return ports.flatMap((port, i) => {
    let rest = Math.floor(members / ports.length) + (i < members % ports.length ? 1 : 0);
    const shares: { port: number; count: number }[] = [];
    while (rest > 0) {
      const count = Math.min(rest, CONNECTIONS_PER_PROCESS_MAX);
      shares.push({ port, count });
      rest -= count;
    }
    return shares;
  });
}
