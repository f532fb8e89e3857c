import { connect, type NatsConnection } from '@nats-io/transport-node';
import { childScript, ROOT } from '../build.ts';
import { cpuSeconds } from '../core/proc.ts';
import { Child } from '../core/rpc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { leastPrivateBytes } from '../measure/memory.ts';
import { type NatsServer, startNatsCluster } from '../servers/nats-server.ts';
import { figureTarget } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const USERS = 100_000;
const SERVERS = 3;
/** Rounds of one message to every user. */
const ROUND_MS = 200;
const SERVER = 'stentor-nats-ephemeral';

interface Way {
  readonly name: 'shared' | 'own';
  readonly userInterestMax: number;
}

/** Above `userInterestMax` there is one subscription for all users, with which a node also gets what other nodes' users are sent. */
const WAYS: readonly Way[] = [
  { name: 'shared', userInterestMax: 10_000 },
  { name: 'own', userInterestMax: 1_000_000 },
];

export const userInterest: Scenario = {
  name: 'user-interest',
  title: '100,000 users of one node on a NATS cluster of 3 servers: reached again after a reconnect',
  describes:
    "The node's bus without sockets: two subjects a user. The server that it is connected to is killed, while another one sends a message to every user, over and over. " +
    'Live: when the last user has got one, after the node has connected again, and after the kill.',
  servers: [SERVER],
  baseline: SERVER,
  targets: WAYS.map(({ name }) =>
    figureTarget('people', `${name}LiveMs`, 5000, `users are reached ≤ 5 s after a reconnect, ${name} interest`, SERVER),
  ),
  async run(server, pair, overrides) {
    const users = overrides.members ?? (overrides.quick ? USERS / 20 : USERS);
    const figures: Record<string, number> = {};
    for (const way of WAYS) Object.assign(figures, await measure(users, way));
    return emptyRun(server.name, pair, figures);
  },
};

async function measure(users: number, { name, userInterestMax }: Way): Promise<Record<string, number>> {
  const cluster = await startNatsCluster(SERVERS);
  const node = new Child('user-interest', childScript('user-interest'));
  try {
    const [first, , last] = cluster as [NatsServer, NatsServer, NatsServer];
    const start = { root: ROOT, natsUrl: first.url, userInterestMax };
    // Only once: what the heap of an idle node takes is not a user's.
    const empty = new Child('user-interest', childScript('user-interest'));
    await empty.call('start', { ...start, users: 1 });
    const emptyBytes = await leastPrivateBytes([empty.pid]);
    await empty.stop();
    await node.call('start', { ...start, users });
    const bytesPerUser = ((await leastPrivateBytes([node.pid])) - emptyBytes) / users;
    const sender = new Sender(await connect({ servers: last.url }), users);
    const all = node.call<{ allAtMs: number; connectedAtMs: number }>('whenAll');
    sender.start();
    await all;
    await sender.stop();
    await node.call('forget');
    const cpu = cpuSeconds([node.pid]);
    const killedAtMs = Date.now();
    first.kill();
    sender.start();
    const again = await node.call<{ allAtMs: number; connectedAtMs: number }>('whenAll');
    await sender.end();
    return {
      [`${name}LiveMs`]: again.allAtMs - again.connectedAtMs,
      [`${name}AfterKillMs`]: again.allAtMs - killedAtMs,
      [`${name}CpuSeconds`]: cpuSeconds([node.pid]) - cpu,
      [`${name}BytesPerUser`]: bytesPerUser,
    };
  } finally {
    await node.stop();
    await Promise.all(cluster.map((one) => one.stop()));
  }
}

/** Sends to every user in rounds. */
class Sender {
  readonly #nats: NatsConnection;
  readonly #users: number;
  #running = false;
  #done: Promise<void> = Promise.resolve();

  constructor(nats: NatsConnection, users: number) {
    this.#nats = nats;
    this.#users = users;
  }

  start(): void {
    this.#running = true;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async end(): Promise<void> {
    await this.stop();
    await this.#nats.close();
  }

  async #run(): Promise<void> {
    while (this.#running) {
      for (let user = 0; user < this.#users && this.#running; user++) {
        this.#nats.publish(`feed.user.${user}`, '{}');
        if (user % 5000 === 4999) await this.#nats.flush();
      }
      await this.#nats.flush();
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
  }
}
