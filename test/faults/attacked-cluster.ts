import { makeToken } from '../../loadtest/swarm/token.ts';
import { TestClient } from '../support/test-client.ts';
import { SECRET } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import type { FaultRun, NodeSettings } from './fault-run.ts';
import type { Feed } from './feed.ts';
import { LatencyProbe } from './latency-probe.ts';
import { MemoryWatch } from './memory-watch.ts';
import { type Asks, Neighbour } from './neighbour.ts';
import type { RestartableNode } from './restartable-node.ts';
import { monoMs, seconds } from './time.ts';

const CALM_TIMES_MAX = 3;
const CALM_SECONDS = 3;
/** What was held up comes in this time, or counts as missing. */
const GRACE_MS = 10_000;

/** What must go back to what it was before an attack. */
const COUNTED = [
  'stentor_publishes_in_flight',
  'stentor_calls_in_flight',
  'stentor_client_requests_in_flight',
  'stentor_command_bytes_in_flight',
  'stentor_presence_topics',
  'stentor_presence_member_bytes',
] as const;

const ASKS: Asks = [
  { command: { type: 'presence', topic: 'hall.lobby' }, answer: 'presence' },
  { command: { type: 'call', method: 'echo', data: 1 }, answer: 'result' },
  { command: { type: 'publish', topic: 'talk.lobby', data: 'hello <b>you</b>' }, answer: 'published' },
  { command: { type: 'publish', topic: 'user.visitor', data: 1 }, answer: 'published' },
  { command: { type: 'subscribe', topic: 'talk.lobby' }, answer: 'subscribed' },
  { command: { type: 'subscribe', topic: 'hall.lobby', presence: true }, answer: 'subscribed' },
];

/** Three nodes, each with a member of a feed and a user who goes on with what users do. */
export class AttackedCluster {
  readonly nodes: readonly RestartableNode[];
  readonly #run: FaultRun;
  readonly #feed: Feed;
  readonly #probes: readonly LatencyProbe[];
  readonly #neighbours: readonly Neighbour[];
  readonly #members: TestClient[] = [];
  readonly #before = new Map<string, number>();
  #calmMs = { member: 0, user: 0 };

  private constructor(run: FaultRun, nodes: readonly RestartableNode[], feed: Feed, neighbours: readonly Neighbour[]) {
    this.#run = run;
    this.nodes = nodes;
    this.#feed = feed;
    this.#probes = nodes.map(({ port }) => new LatencyProbe(port, ['scores.t0']));
    this.#neighbours = neighbours;
    run.onEnd(() => Promise.all([...this.#probes, ...neighbours].map((each) => each.stop())));
    run.onEnd(() => Promise.all(this.#members.map((member) => member.close())));
  }

  static async start(run: FaultRun, urls: readonly string[], ratePerSecond: number, settings: NodeSettings): Promise<AttackedCluster> {
    const nodes = await run.threeNodes(urls, settings);
    const feed = await run.feed({ urls, topics: ['scores.t0'], ratePerSecond });
    const token = makeToken('visitor', SECRET, { publish: ['>', 'user.visitor'], call: ['>'] });
    const neighbours = await Promise.all(nodes.map(({ url }) => Neighbour.start(url, token, ASKS)));
    const cluster = new AttackedCluster(run, nodes, feed, neighbours);
    for (const probe of cluster.#probes) await probe.start();
    feed.start();
    return cluster;
  }

  /** Subscribes users, on all nodes, whose tokens have this info. */
  async fill(topic: string, count: number, info: string): Promise<void> {
    for (let i = 0; i < count; i++) {
      const token = makeToken(`member-${i}`, SECRET, { info });
      const member = await TestClient.connect((this.nodes[i % this.nodes.length] as RestartableNode).url, { encoding: 'json', token });
      this.#members.push(member);
      await member.subscribe(topic);
    }
    const [any] = this.#members as [TestClient];
    await until('all to be there', async () => (await any.get('presence', { type: 'presence', topic })).count === count);
  }

  /** How all is without an attack. */
  async calm(): Promise<void> {
    await this.#takeP99Ms();
    await seconds(this.#run.isQuick ? 1 : CALM_SECONDS);
    const { member, user } = await this.#takeP99Ms();
    this.#calmMs = { member: member.p99Ms, user };
    this.#run.figure('calmMemberP99Ms', member.p99Ms);
    this.#run.figure('calmUserP99Ms', user);
    for (const metric of COUNTED) this.#before.set(metric, await this.#sum(metric));
  }

  async during<T>(name: string, attack: () => Promise<T>, p99MaxMs: number): Promise<T> {
    await this.#takeP99Ms();
    const publishedBefore = this.#feed.acknowledged.length;
    const memory = this.nodes.map((node) => new MemoryWatch(() => [node.pid, ...node.workerPids]));
    const report = await attack();
    const published = this.#feed.acknowledged.length - publishedBefore;
    const deadlineMs = monoMs() + GRACE_MS;
    while (this.#probes.some(({ count }) => count < published) && monoMs() < deadlineMs) await seconds(0.05);
    for (const watch of memory) watch.stop();
    const { member, user } = await this.#takeP99Ms();
    const [run, most] = [this.#run, memory.map((watch) => watch.most)];
    const mb = { worker: Math.max(...most.map(({ others }) => others)), hub: Math.max(...most.map(({ first }) => first)) };
    run.say(JSON.stringify({ name, member, user, published, ...mb, ...report }));
    run.figure(`${name}WorkerMb`, mb.worker);
    run.figure(`${name}HubMb`, mb.hub);
    run.limitMs(`${name}MemberP99Ms`, member.p99Ms, Math.max(p99MaxMs, CALM_TIMES_MAX * this.#calmMs.member));
    run.limitMs(`${name}UserP99Ms`, user, Math.max(p99MaxMs, CALM_TIMES_MAX * this.#calmMs.user));
    run.limit(`${name}Missing`, Math.max(0, published - member.count), 0);
    return report;
  }

  /** Nothing of an attack stays counted. */
  async settled(name: string): Promise<void> {
    const deadlineMs = monoMs() + GRACE_MS;
    for (const metric of COUNTED) {
      const before = this.#before.get(metric) ?? 0;
      let left = (await this.#sum(metric)) - before;
      for (; left > 0 && monoMs() < deadlineMs; left = (await this.#sum(metric)) - before) await seconds(0.1);
      this.#run.limit(`${name}Left`, Math.max(0, left), 0);
      this.#run.expect(left <= 0, `${name}: ${metric} is ${left} above what it was`);
    }
  }

  async end(): Promise<void> {
    const ends = this.#probes.reduce((sum, { ends }) => sum + ends, 0);
    const failures = this.#neighbours.flatMap((neighbour) => neighbour.failures);
    this.#run.limit('probeEnds', ends, 0);
    this.#run.limit('userFailures', failures.length, 0);
    if (failures.length > 0) this.#run.note([...new Set(failures)].slice(0, 10).join('; '));
    this.#run.limit('workersKilled', await this.#sum('stentor_worker_restarts_total'), 0);
    for (const each of [...this.#probes, ...this.#neighbours]) await each.stop();
    await this.#feed.stop();
  }

  /** The worst of the nodes. */
  async #takeP99Ms(): Promise<{ readonly member: { readonly p99Ms: number; readonly count: number }; readonly user: number }> {
    const members = this.#probes.map((probe) => probe.takeP99Ms());
    const users = await Promise.all(this.#neighbours.map((neighbour) => neighbour.takeP99Ms()));
    return {
      member: { p99Ms: Math.max(...members.map(({ p99Ms }) => p99Ms)), count: Math.min(...members.map(({ count }) => count)) },
      user: Math.max(...users.map(({ p99Ms }) => p99Ms)),
    };
  }

  async #sum(metric: string): Promise<number> {
    const values = await Promise.all(this.nodes.map((node) => node.metric(metric)));
    return values.reduce((sum, value) => sum + value, 0);
  }
}
