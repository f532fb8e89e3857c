import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { createClient } from '../../../src/client/index.ts';
import { until } from '../../support/until.ts';
import type { FaultRun } from '../fault-run.ts';
import { cutOff, heal, inOwnNetwork } from '../own-network.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

/** Bounds, each of a durable and an ephemeral namespace. Those from KEPT_FROM_MS on are kept within LATE_MAX_MS. */
const BOUNDS_MS = [1000, 2000, 4000, 7000, 10_000, 14_000];
const KEPT_FROM_MS = 10_000;
const OFTEN_KEPT_FROM_MS = 4000;
const LATE_MAX_MS = 1000;
const CUT_MS = 3000;
const CUTS = 20;
/** A producer that is heard often. */
const OFTEN_MS = 100;
/** The node reaches NATS by this address, producers by 127.0.0.1. */
const CUT_ADDRESS = '127.0.0.2';

interface Watched {
  readonly topic: string;
  readonly boundMs: number;
  readonly everyMs: number;
  /** How late it was told, each time that it was stale. */
  readonly late: { readonly reason: string; readonly lateMs: number }[];
}

export const staleTopics: Scenario = {
  number: 34,
  title: 'the line to NATS is cut for 3 s, 20 times (nftables drop), and then for good',
  pass: `no topic is stale whose producer is heard; the loss is told ≤ ${LATE_MAX_MS} ms after the bound, from ${KEPT_FROM_MS} ms on (${OFTEN_KEPT_FROM_MS}, if the producer is heard often)`,
  size: { clients: 1, ratePerSecond: 20, topics: 4 * BOUNDS_MS.length, quick: false },
  timeoutMs: 420_000,
  ownNetwork: true,
  async execute(run) {
    if (!inOwnNetwork()) return run.note('no network namespace may be made here (root and nftables are needed): nothing was tried');
    const nats = await run.nats({ config: 'host: 0.0.0.0' });
    const kinds = [true, false].flatMap((durable) => BOUNDS_MS.map((staleAfterMs) => ({ durable, staleAfterMs })));
    const namespaces = Object.fromEntries(
      kinds.map(({ durable, staleAfterMs }) => [`${durable ? 'kept' : 'passing'}${staleAfterMs}`, { public: true, durable, staleAfterMs }]),
    );
    const node = await run.node([`nats://${CUT_ADDRESS}:${nats.port}`], { settings: { namespaces } });
    const producer = await connect({ servers: nats.url });
    run.onEnd(() => producer.close());
    const client = createClient({ url: node.url });
    run.onEnd(() => client.close());
    const watched: Watched[] = Object.entries(namespaces).flatMap(([name, { staleAfterMs }]) => [
      { topic: `${name}.twice`, boundMs: staleAfterMs, everyMs: staleAfterMs / 2, late: [] },
      { topic: `${name}.often`, boundMs: staleAfterMs, everyMs: Math.min(OFTEN_MS, staleAfterMs / 2), late: [] },
    ]);
    for (const one of watched) produce(run, producer, one);
    await Promise.all(watched.map((one) => follow(client, one)));

    const back = new FirstItem(client, watched.find(({ topic }) => topic === `kept${BOUNDS_MS[0]}.often`) as Watched);
    for (let cut = 0; cut < CUTS; cut++) {
      // At any place between two heartbeats, and between two of the node's own pings.
      await sleep(5000 + Math.random() * 3000);
      cutOff(CUT_ADDRESS, nats.port);
      await sleep(CUT_MS);
      heal();
      run.figure('heardAgainMs', await back.untilNext());
      run.say(`cut ${cut + 1}: heard again`);
    }
    // So long that every producer has been heard again: else the last cut would have taken a heartbeat from what comes now.
    await seconds(16);
    for (const { topic, late } of watched) for (const { reason } of late) run.say(`false alarm: ${topic} ${reason}`);
    run.none({ falseAlarms: watched.reduce((sum, { late }) => sum + late.length, 0) });

    for (const { late } of watched) late.length = 0;
    cutOff(CUT_ADDRESS, nats.port);
    await until('all to be stale', () => watched.every(({ late }) => late.length > 0));
    heal();
    for (const { boundMs, everyMs, topic, late } of watched) {
      const [{ reason, lateMs }] = late as [Watched['late'][0]];
      run.expect(reason === 'broker_lost', `${topic} is ${reason}`);
      const isOften = everyMs <= OFTEN_MS;
      const name = `${isOften ? 'often' : 'twice'}${boundMs}LateMs`;
      if (boundMs >= (isOften ? OFTEN_KEPT_FROM_MS : KEPT_FROM_MS)) run.limitMs(name, lateMs, LATE_MAX_MS);
      else run.figure(name, lateMs);
    }
  },
};

/** Publishes and sends heartbeats in turn. */
function produce(run: FaultRun, producer: NatsConnection, { topic, everyMs }: Watched): void {
  let n = 0;
  const timer = setInterval(() => producer.publish(n++ % 2 === 0 ? `feed.${topic}` : `beat.${topic}`, '1'), everyMs);
  run.onEnd(() => clearInterval(timer));
}

async function follow(client: ReturnType<typeof createClient>, { topic, boundMs, late }: Watched): Promise<void> {
  let begun = false;
  const followed = client.topic(topic, {
    onSubscribed: () => {
      begun = true;
    },
    onStale(stale) {
      if (stale !== undefined) late.push({ reason: stale.reason, lateMs: Date.now() - stale.sinceMs - boundMs });
    },
  });
  followed.subscribe(() => undefined);
  await until(`a subscription to ${topic}`, () => begun);
}

/** When something comes again. */
class FirstItem {
  #onItem = () => {};

  constructor(client: ReturnType<typeof createClient>, { topic }: Watched) {
    client.topic(topic).subscribe(() => this.#onItem());
  }

  untilNext(): Promise<number> {
    const fromMs = performance.now();
    return new Promise((resolve) => {
      this.#onItem = () => {
        this.#onItem = () => {};
        resolve(performance.now() - fromMs);
      };
    });
  }
}
