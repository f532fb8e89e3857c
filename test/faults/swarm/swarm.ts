import { makeToken } from '../../../loadtest/swarm/token.ts';
import { nowUs } from '../../../src/bench/clock.ts';
import { workerOf } from '../../support/connection-id.ts';
import { addVerdicts, type Verdict } from '../ledger.ts';
import { SwarmClient } from './client.ts';
import { FrameReader } from './frame.ts';
import type { CheckRequest, Reached, StatsReport, SwarmReport, SwarmSettings, Target } from './settings.ts';
import { SwarmStats } from './stats.ts';
import { SharedFrames } from './swarm-ledger.ts';

const SWEEP_INTERVAL_MS = 1000;
const POLL_MS = 10;
const EXAMPLES_MAX = 5;

/** Many clients in one process. */
export class Swarm {
  readonly #settings: SwarmSettings;
  readonly #stats = new SwarmStats();
  readonly #clients: SwarmClient[];
  readonly #sweep: NodeJS.Timeout;
  readonly #startedAtMs = performance.now();
  #watched: { atMs: number; longestMs: Float64Array; workers: string[] } | undefined;

  constructor(settings: SwarmSettings) {
    const { clients, ports, topics, tokenSecret, requestTimeoutMs } = settings;
    this.#settings = settings;
    const context = { reader: new FrameReader(), frames: new SharedFrames(), stats: this.#stats, requestTimeoutMs };
    const urls = ports.map((port) => `ws://127.0.0.1:${port}/ws`);
    this.#clients = Array.from({ length: clients }, (_, i) => {
      const turned = [...urls.slice(i % urls.length), ...urls.slice(0, i % urls.length)];
      const token = tokenSecret === undefined ? undefined : makeToken(`user-${i}`, tokenSecret);
      return new SwarmClient(topics[i % topics.length]!, turned, token, context);
    });
    this.#sweep = setInterval(() => {
      for (const client of this.#clients) client.sweep(performance.now());
    }, SWEEP_INTERVAL_MS);
  }

  /** Resolves when every client is subscribed. */
  connect(): Promise<void> {
    const { inFlightMax } = this.#settings;
    let started = 0;
    let subscribed = 0;
    return new Promise((resolve) => {
      const more = () => {
        while (started < this.#clients.length && started - subscribed < inFlightMax) this.#clients[started++]!.start();
        if (subscribed >= this.#clients.length) {
          this.#stats.onSubscribed = () => {};
          resolve();
        }
      };
      this.#stats.onSubscribed = () => {
        subscribed++;
        more();
      };
      more();
    });
  }

  leave(): void {
    for (const client of this.#clients) client.leave();
  }

  comeBack(): void {
    for (const client of this.#clients) client.start();
  }

  /** Resolves when all clients are live and have come as far, or when the time is over. */
  async reach({ offsets, otherThan = [], timeoutMs }: Target): Promise<Reached> {
    const deadlineMs = performance.now() + timeoutMs;
    const isBehind = ({ live, topic, position }: SwarmClient) =>
      !live || position === undefined || position.offset < (offsets[topic] ?? 0) || otherThan.includes(position.epoch);
    for (;;) {
      const behind = this.#clients.filter(isBehind);
      if (behind.length === 0 || performance.now() > deadlineMs) {
        const examples = behind.slice(0, EXAMPLES_MAX).map((client) => this.#describe(client, offsets[client.topic]));
        return { behind: behind.length, atMs: nowUs() / 1000, examples };
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  check({ lives }: CheckRequest): SwarmReport {
    const verdicts: Verdict[] = [];
    const examples: string[] = [];
    for (const [index, client] of this.#clients.entries()) {
      const verdict = client.ledger.check(client.topic, lives);
      verdicts.push(verdict);
      const { lost, duplicates, reordered, foreign, wrongSnapshots } = verdict;
      if (lost + duplicates + reordered + foreign + wrongSnapshots > 0 && examples.length < EXAMPLES_MAX) {
        examples.push(`client ${index}: ${JSON.stringify(verdict)}; ${this.#describe(client, undefined)}`);
      }
    }
    const cpu = process.cpuUsage();
    const cpuShare = (cpu.user + cpu.system) / 1000 / (performance.now() - this.#startedAtMs);
    return { verdict: addVerdicts(verdicts), examples, cpuShare };
  }

  stats(): StatsReport {
    const stats = this.#stats;
    const { dropped, held, historyAsked, resyncs, notRecovered, lagged, foreignEpochs, timeouts, endsPerSecondMax } = stats;
    const { disconnects, closeCodes, refusals, errors, told } = stats;
    const sorted = [...stats.resumeMs].sort((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    const live = this.#clients.filter((client) => client.live);
    const liveByWorker: Record<string, number> = {};
    for (const { connectionId } of live) liveByWorker[workerOf(connectionId)] = (liveByWorker[workerOf(connectionId)] ?? 0) + 1;
    return {
      ...{ dropped, held, historyAsked, resyncs, notRecovered, lagged, foreignEpochs, timeouts, endsPerSecondMax },
      ...{ disconnects, closeCodes, refusals, errors, told, liveByWorker },
      live: live.length,
      epochs: [...stats.epochs],
      resumeMs: { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) },
    };
  }

  resetStats(): void {
    this.#stats.reset();
  }

  /** From now on the longest time between two deliveries of each client is kept. */
  watchSilence(): void {
    const workers = this.#clients.map(({ connectionId }) => workerOf(connectionId));
    const watched = { atMs: performance.now(), longestMs: new Float64Array(this.#clients.length), workers };
    this.#watched = watched;
    const timer = setInterval(() => {
      if (this.#watched !== watched) return clearInterval(timer);
      const nowMs = performance.now();
      for (const [i, client] of this.#clients.entries()) {
        const silentMs = nowMs - Math.max(client.deliveredAtMs, watched.atMs);
        if (silentMs > watched.longestMs[i]!) watched.longestMs[i] = silentMs;
      }
    }, 50);
  }

  /** Ends the watch. @returns the longest silence of a client that was not at one of these workers when it began */
  silence(exceptWorkers: readonly string[]): number {
    const watched = this.#watched;
    this.#watched = undefined;
    if (watched === undefined) return 0;
    return Math.max(0, ...watched.longestMs.filter((_, i) => !exceptWorkers.includes(watched.workers[i]!)));
  }

  destroy(): void {
    clearInterval(this.#sweep);
    this.leave();
  }

  #describe({ topic, live, position, connectionId }: SwarmClient, wanted: number | undefined): string {
    return JSON.stringify({ topic, live, position, wanted, connectionId });
  }
}
