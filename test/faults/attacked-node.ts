import { cpuSeconds } from '../../loadtest/core/proc.ts';
import { AttackProcess } from './attack-process.ts';
import type { FaultRun, NodeSettings } from './fault-run.ts';
import type { Feed } from './feed.ts';
import { FloodProcess } from './flood-process.ts';
import { LatencyProbe } from './latency-probe.ts';
import { MemoryWatch } from './memory-watch.ts';
import type { RestartableNode } from './restartable-node.ts';
import { monoMs, seconds } from './time.ts';

/** A member should wait hardly longer than without the attack. The limit is wide, because attacker, node, NATS and other programs share two cores. */
const P99_MAX_MS = 500;
const CALM_TIMES_MAX = 3;
/** Of which the member's time without an attack is taken. */
const CALM_SECONDS = 3;
const QUICK_CALM_SECONDS = 1;
/** What was held up comes in this time, or counts as missing. */
const GRACE_MS = 10_000;

export interface Watched<T> {
  readonly report: T;
  readonly p99Ms: number;
  readonly cpuPercent: number;
}

interface AttackedOptions extends NodeSettings {
  /** Of the member. Absent: an anonymous client. */
  readonly token?: string;
}

/** A node with one worker, one member, a feed, and an attacker. What the member gets during an attack is held against what was published. */
export class AttackedNode {
  readonly node: RestartableNode;
  readonly flooder = new FloodProcess();
  readonly #run: FaultRun;
  readonly #feed: Feed;
  readonly #probe: LatencyProbe;
  #attacker: AttackProcess | undefined;
  #calmP99Ms = 0;

  private constructor(run: FaultRun, node: RestartableNode, feed: Feed, token: string | undefined) {
    this.#run = run;
    this.node = node;
    this.#feed = feed;
    this.#probe = new LatencyProbe(node.port, ['scores.t0'], { token });
    run.onEnd(() => Promise.all([this.#probe.stop(), this.flooder.stop(), this.#attacker?.stop()]));
  }

  static async start(run: FaultRun, urls: readonly string[], ratePerSecond: number, options: AttackedOptions = {}): Promise<AttackedNode> {
    const { token, ...settings } = options;
    const node = await run.node(urls, settings);
    const feed = await run.feed({ urls, topics: ['scores.t0'], ratePerSecond });
    const attacked = new AttackedNode(run, node, feed, token);
    await attacked.#probe.start();
    feed.start();
    await seconds(run.isQuick ? QUICK_CALM_SECONDS : CALM_SECONDS);
    attacked.#calmP99Ms = attacked.#probe.takeP99Ms().p99Ms;
    run.figure('calmP99Ms', attacked.#calmP99Ms);
    return attacked;
  }

  /** Starts when it is first asked for. */
  get attacker(): AttackProcess {
    this.#attacker ??= new AttackProcess();
    return this.#attacker;
  }

  /** Judges the member's view unless told not to: then it is only shown. */
  async during<T>(name: string, attack: () => Promise<T>, { judged = true, p99MaxMs = P99_MAX_MS } = {}): Promise<Watched<T>> {
    const { node } = this;
    const pids = node.workerPids;
    this.#probe.takeP99Ms();
    const publishedBefore = this.#feed.acknowledged.length;
    const memory = new MemoryWatch(() => [node.pid, ...node.workerPids]);
    const cpuBefore = cpuSeconds(pids);
    const startMs = monoMs();
    const report = await attack();
    const cpuPercent = ((cpuSeconds(pids) - cpuBefore) / (monoMs() - startMs)) * 100_000;
    const published = this.#feed.acknowledged.length - publishedBefore;
    const deadlineMs = monoMs() + GRACE_MS;
    while (this.#probe.count < published && monoMs() < deadlineMs) await seconds(0.05);
    memory.stop();
    const { p99Ms, count } = this.#probe.takeP99Ms();
    const missing = Math.max(0, published - count);
    this.#run.say(JSON.stringify({ name, p99Ms, published, count, cpuPercent, ...memory.most, ...report }));
    this.#run.figure(`${name}WorkerCpuPercent`, cpuPercent);
    this.#run.figure(`${name}WorkerMb`, memory.most.others);
    this.#run.figure(`${name}HubMb`, memory.most.first);
    if (judged) {
      this.#run.limitMs(`${name}P99Ms`, p99Ms, Math.max(p99MaxMs, CALM_TIMES_MAX * this.#calmP99Ms));
      this.#run.limit(`${name}Missing`, missing, 0);
      this.#run.expect(pids.join() === node.workerPids.join(), `${name}: a worker was killed`);
    } else {
      this.#run.figure(`${name}P99Ms`, Math.min(p99Ms, 999_999));
      this.#run.figure(`${name}Missing`, missing);
    }
    return { report, p99Ms, cpuPercent };
  }

  async end(): Promise<void> {
    this.#run.limit('probeEnds', this.#probe.ends, 0);
    this.#run.limit('workersKilled', await this.node.metric('stentor_worker_restarts_total'), 0);
    this.#probe.stop();
    await this.#feed.stop();
  }
}
