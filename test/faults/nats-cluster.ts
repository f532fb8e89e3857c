import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { streamNameOf } from '../../src/bus/subjects.ts';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { withNats } from './store.ts';

const SERVERS = 3;
const FORMED_TIMEOUT_MS = 60_000;

/** Three servers on loopback that hold streams together. */
export class NatsCluster {
  readonly servers: readonly NatsServer[];

  private constructor(servers: readonly NatsServer[]) {
    this.servers = servers;
  }

  static async start(): Promise<NatsCluster> {
    const ports = Array.from({ length: SERVERS }, freePort);
    const routePorts = ports.map(freePort);
    const routes = routePorts.map((port) => `nats-route://127.0.0.1:${port}`).join(', ');
    const servers = await Promise.all(
      ports.map((port, i) =>
        startNatsServer({
          port,
          config: `server_name: ${serverName(i)}\ncluster { name: stentor, listen: "127.0.0.1:${routePorts[i]}", routes: [${routes}] }`,
        }),
      ),
    );
    const cluster = new NatsCluster(servers);
    await cluster.#formed();
    return cluster;
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  /** The server that leads a namespace's stream, by index. */
  leaderOf(namespace: string): Promise<number> {
    return withNats(this.urls, async (nc) => {
      const jsm = await jetstreamManager(nc, { checkAPI: false });
      for (;;) {
        const leader = await jsm.streams.info(streamNameOf(namespace)).then(
          ({ cluster }) => cluster?.leader,
          () => undefined,
        );
        const index = this.servers.findIndex((_, i) => serverName(i) === leader);
        if (index !== -1) return index;
        await sleep(100);
      }
    });
  }

  /** Every replica of the namespace's stream is there and up to date. */
  isWhole(namespace: string): Promise<boolean> {
    return withNats(this.urls, async (nc) => {
      const jsm = await jetstreamManager(nc, { checkAPI: false });
      const info = await jsm.streams.info(streamNameOf(namespace)).catch(() => undefined);
      const replicas = info?.cluster?.replicas ?? [];
      return replicas.length === SERVERS - 1 && replicas.every(({ current, offline }) => current && offline !== true);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  /** A stream with a replica on each can be made. */
  async #formed(): Promise<void> {
    const deadlineMs = performance.now() + FORMED_TIMEOUT_MS;
    await withNats(this.urls, async (nc) => {
      const jsm = await jetstreamManager(nc, { checkAPI: false });
      for (;;) {
        try {
          await jsm.streams.add({ name: 'probe', subjects: ['probe'], num_replicas: SERVERS });
          await jsm.streams.delete('probe');
          return;
        } catch (error) {
          if (performance.now() > deadlineMs) throw new Error('the NATS cluster did not form', { cause: error });
          await sleep(200);
        }
      }
    });
  }
}

function serverName(index: number): string {
  return `s${index}`;
}
