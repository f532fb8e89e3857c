import { Registry } from 'prom-client';
import { loadConfig } from '../../src/config/load.ts';
import { Hub } from '../../src/hub/hub.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import type { HubEnd, WorkerEnd } from '../../src/link/link.ts';
import type { ToHub, ToWorker } from '../../src/link/messages.ts';
import { namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import type { Since } from '../../src/recent/lives.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { busOfLogs } from './bus-of-logs.ts';
import { SimulatedLog } from './simulated-log.ts';
import { turns } from './simulated-node.ts';

const SETTINGS = {
  namespaces: { plain: { public: true }, keyed: { public: true, state: 'keyed' } },
  'tuning.hub.topicLingerMs': 0,
  'tuning.hub.retryPauseMs': 1,
  'log.level': 'silent',
};
const WAIT_MS = 10_000;
const KEPT_PER_KEY = 1000;

type Asking = Extract<ToHub, { readonly requestId: number }>;
type Question = Asking extends infer A ? (A extends Asking ? Omit<A, 'requestId'> : never) : never;
type Answer = Extract<ToWorker, { kind: 'items' | 'recovery' | 'failed' }>;

/** A hub on logs that the test has in hand, and the one worker that asks it: the test. */
export class TestHub {
  readonly plain = new SimulatedLog({ namespace: 'plain', keyed: false, countMax: KEPT_PER_KEY, delay: () => turns(1) });
  readonly keyed = new SimulatedLog({ namespace: 'keyed', keyed: true, countMax: 1, delay: () => turns(1) });
  readonly told: ToWorker[] = [];
  readonly #hub: Hub;
  readonly #worker: WorkerEnd;
  #nextId = 1;

  constructor(settings: Readonly<Record<string, unknown>> = {}) {
    const { config } = loadConfig({ env: {}, flags: { ...SETTINGS, ...settings } });
    const bus = busOfLogs((name) => this.logOf(name));
    const logger = createLogger(config.log);
    this.#hub = new Hub({ config, bus, nodeId: 'node', logger, registry: new Registry(), pages: [] });
    const { hubEnd, workerEnd } = createInProcessLink();
    this.#worker = workerEnd;
    workerEnd.onMessages((messages) => this.told.push(...messages));
    const ignore = () => undefined;
    this.#hub.links.attach(hubEnd, 0, 0, { onPrepared: ignore, onListening: ignore, onStartFailed: ignore, onDrained: ignore });
  }

  logOf(namespace: string): SimulatedLog {
    return namespace === 'keyed' ? this.keyed : this.plain;
  }

  publish(topic: string, count: number, keys = 1): void {
    const log = this.logOf(namespaceOf(topic as Topic));
    for (let n = 0; n < count; n++) log.append(topic as Topic, log.keyed ? (`K${n % keys}` as never) : null);
  }

  /** @returns how the topic was opened, or that it was not */
  async open(topic: string, since?: Since): Promise<Extract<ToWorker, { kind: 'opened' | 'openFailed' }>> {
    this.#worker.send({ kind: 'open', topic: topic as Topic, ...(since !== undefined && { since }) });
    return this.until((message) => (message.kind === 'opened' || message.kind === 'openFailed') && message.topic === topic);
  }

  /** Another worker, whose link is the test's. */
  attach(link: HubEnd): void {
    const ignore = () => undefined;
    this.#hub.links.attach(link, 1, 0, { onPrepared: ignore, onListening: ignore, onStartFailed: ignore, onDrained: ignore });
  }

  /** What the worker says without waiting. */
  send(message: ToHub): void {
    this.#worker.send(message);
  }

  async ask(question: Question): Promise<Answer> {
    const requestId = this.#nextId++;
    this.#worker.send({ ...question, requestId } as ToHub);
    return this.until((message) => 'requestId' in message && message.requestId === requestId);
  }

  /** Lets logs deliver until the hub has said so. */
  async until<A extends ToWorker>(fits: (message: ToWorker) => boolean): Promise<A> {
    const deadlineMs = performance.now() + WAIT_MS;
    for (;;) {
      const found = this.told.find(fits);
      if (found !== undefined) return found as A;
      if (performance.now() > deadlineMs) throw new Error(`the hub has not said so: ${JSON.stringify(this.told.slice(-5))}`);
      for (const log of [this.plain, this.keyed]) log.deliver(Number.POSITIVE_INFINITY, false);
      await turns(1);
    }
  }

  async stop(): Promise<void> {
    for (const log of [this.plain, this.keyed]) log.cutOff();
    await this.#hub.stop();
  }
}
