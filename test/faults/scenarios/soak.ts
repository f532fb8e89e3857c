import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePort } from '../../support/free-port.ts';
import type { NatsServer } from '../../support/nats-server.ts';
import { type Point, slope } from '../../support/slope.ts';
import { RESULTS } from '../build.ts';
import { checkStore } from '../checker.ts';
import { Churn, VISIT_KINDS } from '../churn/churn.ts';
import { type FaultRun, lastOffsetsOf, NAMESPACE, topicsOf } from '../fault-run.ts';
import type { Feed } from '../feed.ts';
import { Inside } from '../inside/inside.ts';
import { type Rest, Rests } from '../inside/rest.ts';
import { lifeOf } from '../ledger.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario, Size } from '../scenario.ts';
import type { SdkClients } from '../sdk-clients.ts';
import { readStore } from '../store.ts';
import { monoMs, seconds } from '../time.ts';
import { Services } from './people/services.ts';

const RESIDENTS = 8;
const ROUND_MINUTES = 5;
const QUICK_ROUND_SECONDS = 5;
const NATS_AWAY_SECONDS = 2;
/** For visits that NATS' absence has delayed to end. */
const DISTURBED_MS = 20_000;
const SETTLE_MS = 30_000;
/** Of a run of at least so many minutes the growth of memory is judged: shorter ones show noise. */
const JUDGED_MINUTES = 30;
const HEAP_BYTES_PER_HOUR_MAX = 2 * 2 ** 20;
/** Nobody comes back to what visitors leave in the log, so that it is short. */
const BRIEFLY = { maxCount: 1000, maxAgeMs: 30_000 };

const talkHooks = { timeoutMs: 2000, subscribe: 'nats:hooks.all', publish: 'nats:hooks.all' };
const SETTINGS = {
  namespaces: {
    [NAMESPACE]: { public: true, history: { maxCount: 10_000_000 } },
    room: {
      public: true,
      clientPublish: true,
      sanitize: 'text',
      presence: 'members',
      wildcards: true,
      history: { maxCount: 1000, maxAgeMs: 120_000 },
    },
    ticks: {
      public: true,
      state: 'keyed',
      topicTokens: 2,
      delta: 'fields',
      slowConsumer: 'conflate',
      history: BRIEFLY,
    },
    books: { public: true, state: 'document', slowConsumer: 'conflate', history: { ...BRIEFLY, maxCount: 20 } },
    live: { public: true, durable: false, wildcards: true },
    many: { public: true, durable: false },
    slow: { public: true, history: BRIEFLY },
    skipping: { public: true, slowConsumer: 'skip', history: BRIEFLY },
    closing: { public: true, slowConsumer: 'close', history: BRIEFLY },
    talk: { public: true, durable: false, clientPublish: true, hooks: talkHooks },
    user: { durable: false },
  },
  'auth.revocations': 'accept',
  'auth.tokenLifeMaxMs': 900_000,
  'auth.clockToleranceMs': 0,
  'limits.connectionsPerUserMax': 5,
  'limits.slowTimeoutMs': 2000,
  'limits.topicsPerConnectionMax': 900,
  'tuning.presence.graceMs': 1000,
  'tuning.hub.topicLingerMs': 1000,
  // Full before the first rest, so that what grows is no ring of a resident's topic and no cache of a node.
  'tuning.recent.itemsPerTopicMax': 64,
  'tuning.nats.subjectsRememberedMax': 50,
  'tuning.auth.verifiedTokensMax': 50,
};

export const soak: Scenario = {
  number: 19,
  title: 'topics, users, patterns and documents come and go, with slow and hostile clients among them; now and then NATS is killed',
  pass: 'who stays gets everything once, in order; at rest everything is as it was, and memory does not grow',
  size: { clients: 16, ratePerSecond: 20, topics: 4, quick: false, minutes: 10 },
  timeoutMs: 240_000,
  async execute(run, size) {
    const scene = await setScene(run, size);
    const { churn, rests } = scene;
    await rests.begin();
    await comeAndGo(scene, () => churn.ended >= VISIT_KINDS * (run.isQuick ? 1 : 5));
    scene.note(await rests.take());
    const startMs = monoMs();
    const cpuBefore = rests.cpuSeconds;
    const endMs = startMs + (size.minutes ?? 0) * 60_000;
    for (let round = 1; round === 1 || monoMs() < endMs; round++) {
      const roundSeconds = run.isQuick ? QUICK_ROUND_SECONDS : Math.min(ROUND_MINUTES, (size.minutes ?? 0) / 2) * 60;
      const roundEndMs = monoMs() + roundSeconds * 1000;
      let killsNats = round % 2 === 1;
      await comeAndGo(scene, async () => {
        if (killsNats && monoMs() > roundEndMs - roundSeconds * 500) {
          killsNats = false;
          await killNats(scene);
        }
        return monoMs() > roundEndMs;
      });
      scene.note(await rests.take());
    }
    run.figure('nodesCpuPercent', ((rests.cpuSeconds - cpuBefore) / (monoMs() - startMs)) * 100_000);
    await judge(run, scene);
    judgeRests(run, size, rests.all);
  },
};

interface Scene {
  readonly nats: NatsServer;
  readonly nodes: readonly RestartableNode[];
  readonly producer: NatsConnection;
  readonly feed: Feed;
  readonly residents: SdkClients;
  readonly churn: Churn;
  readonly rests: Rests;
  readonly size: Size;
  note(rest: Rest): void;
}

async function setScene(run: FaultRun, size: Size): Promise<Scene> {
  const natsMonitorPort = freePort();
  const nats = await run.nats({ config: `http: "127.0.0.1:${natsMonitorPort}"` });
  const inside = new Inside();
  run.onEnd(() => inside.end());
  const options = { settings: SETTINGS, env: inside.env };
  const nodes = [await run.node([nats.url], options), await run.node([nats.url], options)];
  const services = await Services.start(nats.url);
  run.onEnd(() => services.close());
  const producer = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  run.onEnd(() => producer.close());
  const topics = topicsOf(size.topics);
  const feed = await run.feed({ urls: [nats.url], topics, ratePerSecond: size.ratePerSecond });
  const residents = await run.sdkClients(RESIDENTS, topics);
  const churn = new Churn({ nodes, producer });
  run.onEnd(() => churn.pause());
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `soak-${new Date().toISOString().replaceAll(':', '-')}.jsonl`);
  run.note(`every rest in ${file}`);
  const note = (rest: Rest) => {
    appendFileSync(file, `${JSON.stringify({ ...rest, seed: run.seed, visits: churn.visits, failures: churn.failures })}\n`);
    run.say(`rest after ${Math.round(rest.settledMs)} ms and ${churn.ended} visits; left: ${rest.left.join(', ') || 'nothing'}`);
  };
  return { nats, nodes, producer, feed, residents, churn, rests: new Rests({ nodes, inside, natsMonitorPort }), size, note };
}

/** Visitors come and go, and producers publish, until it is enough. */
async function comeAndGo({ churn, feed, size }: Scene, isEnough: () => boolean | Promise<boolean>): Promise<void> {
  feed.start();
  churn.start(size.clients);
  while (!(await isEnough())) await seconds(0.2);
  await Promise.all([churn.pause(), feed.stop()]);
}

async function killNats({ nats, nodes, churn }: Scene): Promise<void> {
  churn.disturb(Number.POSITIVE_INFINITY);
  await nats.kill9();
  await seconds(NATS_AWAY_SECONDS);
  await nats.restart();
  await Promise.all(nodes.map((node) => node.untilReady()));
  churn.disturb(DISTURBED_MS);
}

/** What those who stayed were given, and what visitors found wrong. */
async function judge(run: FaultRun, { nats, feed, residents, churn }: Scene): Promise<void> {
  const stored = await readStore(nats.url, NAMESPACE);
  const behind = await residents.reach(lastOffsetsOf(stored), SETTLE_MS);
  run.expect(behind === 0, `${behind} residents never got the last publications`);
  const { acknowledgedLost, storedTwice } = checkStore(feed.acknowledged, stored);
  const { delivered, declared, declarations, ...faults } = residents.check([lifeOf(residents.epoch, stored)]);
  run.none({ acknowledgedLost, storedTwice, ...faults, declared: declared + declarations, failedVisits: churn.failures });
  run.figure('delivered', delivered);
  run.figure('visits', churn.ended);
  run.figure('disturbedVisits', churn.disturbed);
  run.say(JSON.stringify(churn.visits));
  for (const example of churn.examples) run.note(example);
}

function judgeRests(run: FaultRun, { minutes = 0 }: Size, rests: readonly Rest[]): void {
  const left = rests.flatMap((rest) => rest.left);
  run.none({ leftAtRest: left.length });
  for (const what of new Set(left)) run.note(`left at rest: ${what}`);
  run.figure('settledMaxMs', Math.max(...rests.map(({ settledMs }) => settledMs)));
  run.figure('rests', rests.length);
  const [first] = rests as [Rest, ...Rest[]];
  const points = (of: (rest: Rest) => number): Point[] =>
    rests.slice(1).map((rest) => ({ x: (rest.atMs - first.atMs) / 3_600_000, y: of(rest) }));
  const line = (name: string, of: (rest: Rest) => number) => {
    const perHour = slope(points(of));
    run.say(`${name}: ${rests.map((rest) => Math.round(of(rest))).join(' ')}; ${Math.round(perHour)} an hour`);
    return perHour;
  };
  for (const name of Object.keys(first.processes)) {
    const of = (what: keyof Rest['processes'][string]) => (rest: Rest) => rest.processes[name]?.[what] ?? 0;
    for (const what of ['timers', 'promises', 'maps', 'sets', 'sockets', 'nativeTopics', 'descriptors'] as const)
      line(`${name} ${what}`, of(what));
    line(`${name} resident KB`, (rest) => of('rssBytes')(rest) / 1024);
    const bytes = line(`${name} heap and external bytes`, (rest) => of('heapBytes')(rest) + of('externalBytes')(rest));
    const figure = `${name.replaceAll(' ', '')}KbPerHour`;
    if (minutes >= JUDGED_MINUTES) run.limit(figure, bytes / 1024, HEAP_BYTES_PER_HOUR_MAX / 1024);
  }
  for (const what of ['consumers', 'subscriptions', 'connections', 'memoryBytes'] as const) line(`NATS ${what}`, (rest) => rest.nats[what]);
}
