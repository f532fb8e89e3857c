import { childScript } from '../build.ts';
import type { FeedPlan, FeedResult } from '../core/feed.ts';
import { Child } from '../core/rpc.ts';
import { type NatsServer, natsProgram, startNatsServer } from './nats-server.ts';
import type { Flood, Listening, RunningServer, ServerUnderTest, StartSettings } from './server.ts';

/** A nats-server and the producer that feeds it. */
export interface NatsFeed {
  readonly server: NatsServer;
  feed(plan: FeedPlan): Promise<FeedResult>;
  flood(flood: Flood): Promise<void>;
  stop(): Promise<void>;
}

export async function startNatsFeed(): Promise<NatsFeed> {
  const server = await startNatsServer();
  const feeder = new Child('nats-feeder', childScript('nats-feeder'));
  const stop = async () => {
    await feeder.stop();
    await server.stop();
  };
  await feeder.call('start', { natsUrl: server.url }).catch((error) => stop().then(() => Promise.reject(error)));
  return { server, feed: (plan) => feeder.call('feed', plan), flood: (flood) => feeder.call('flood', flood), stop };
}

export function natsMissing(): string | undefined {
  return natsProgram() === undefined ? 'no nats-server: set $NATS_SERVER or put one on the PATH' : undefined;
}

/** Bare uWS behind the bare NATS client, one process a node. */
export const uwsNats: ServerUnderTest = {
  name: 'uws-nats',
  title: 'bare uWS, fed by the bare NATS client',
  missing: natsMissing,
  async start({ nodes }: StartSettings): Promise<RunningServer> {
    const nats = await startNatsFeed();
    let processes: Child[] = [];
    let ports: number[] = [];
    const startProcesses = async () => {
      processes = Array.from({ length: nodes }, (_, i) => new Child(`uws-nats ${i}`, childScript('uws-nats')));
      const listening = await Promise.all(processes.map((process) => process.call<Listening>('start', { natsUrl: nats.server.url })));
      ports = listening.map(({ port }) => port);
    };
    const stopProcesses = () => Promise.all(processes.map((process) => process.stop()));
    const stop = async () => {
      await stopProcesses();
      await nats.stop();
    };
    await startProcesses().catch((error) => stop().then(() => Promise.reject(error)));
    return {
      dialect: 'plain',
      get ports() {
        return ports;
      },
      get pids() {
        return processes.map(({ pid }) => pid);
      },
      selfFed: false,
      feed: nats.feed,
      async restart() {
        await stopProcesses();
        await startProcesses();
      },
      stop,
    };
  },
};

/** NATS's own WebSocket listener: here the nats-server is what is measured. */
export const natsWebSocket: ServerUnderTest = {
  name: 'nats-ws',
  title: 'NATS WebSocket listener',
  missing: natsMissing,
  async start({ nodes }: StartSettings): Promise<RunningServer> {
    if (nodes !== 1) throw new Error('nats-ws runs as one server here');
    const nats = await startNatsFeed();
    return {
      dialect: 'nats',
      ports: [nats.server.webSocketPort],
      pids: [nats.server.pid],
      selfFed: false,
      feed: nats.feed,
      stop: nats.stop,
    };
  },
};
