import { cpuSeconds } from '../../../loadtest/core/proc.ts';
import type { RestartableNode } from '../restartable-node.ts';
import { monoMs, seconds } from '../time.ts';
import { gaugesOf } from './gauges.ts';
import type { Alive, Inside } from './inside.ts';
import { type NatsCounts, natsCounts } from './nats-counts.ts';

/** For everything that visitors leave behind to be gone. */
const SETTLE_MAX_MS = 90_000;
const POLL_SECONDS = 0.5;

/** Of which there may be no more at rest than there were at the first rest. */
const COUNTED = ['timers', 'sockets', 'nativeTopics', 'descriptors'] as const;
/** Timers that run now and then: at one rest they are there, at another they are not. */
const SPARE: Readonly<Record<string, number>> = { timers: 2 };

/** What there is when nobody but those who stay is there. */
export interface Rest {
  readonly atMs: number;
  /** How long it took to settle. */
  readonly settledMs: number;
  /** By name of the process: `n0 hub`, `n0 worker 0`, … */
  readonly processes: Readonly<Record<string, Alive>>;
  readonly nats: NatsCounts;
  /** What is not as it was at the first rest. */
  readonly left: readonly string[];
}

export interface RestOptions {
  readonly nodes: readonly RestartableNode[];
  readonly inside: Inside;
  readonly natsMonitorPort: number;
}

/** Waits until everything is as it was at the first rest, and counts what there is. */
export class Rests {
  readonly all: Rest[] = [];
  readonly #options: RestOptions;
  #gauges: Readonly<Record<string, number>> = {};

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /** Call it before anybody comes: gauges must come back to what they are now. */
  async begin(): Promise<void> {
    this.#gauges = await this.#readGauges();
  }

  /** The first is what the others are compared with. */
  async take(): Promise<Rest> {
    const startMs = monoMs();
    let left = await this.#busyGauges();
    while (left.length > 0 && monoMs() - startMs < SETTLE_MAX_MS) {
      await seconds(POLL_SECONDS);
      left = await this.#busyGauges();
    }
    let found = await this.#look();
    left = [...left, ...this.#more(found)];
    while (left.length > 0 && monoMs() - startMs < SETTLE_MAX_MS) {
      await seconds(POLL_SECONDS);
      found = await this.#look();
      left = [...(await this.#busyGauges()), ...this.#more(found)];
    }
    const rest = { atMs: startMs, settledMs: monoMs() - startMs, ...found, left };
    this.all.push(rest);
    return rest;
  }

  /** CPU seconds of the nodes so far. */
  get cpuSeconds(): number {
    return cpuSeconds(this.#options.nodes.flatMap((node) => [node.pid, ...node.workerPids]));
  }

  async #look(): Promise<Pick<Rest, 'processes' | 'nats'>> {
    const { nodes, inside, natsMonitorPort } = this.#options;
    const processes: Record<string, Alive> = {};
    for (const node of nodes) {
      processes[`${node.name} hub`] = await inside.look(node.pid);
      for (const [i, pid] of node.workerPids.entries()) processes[`${node.name} worker ${i}`] = await inside.look(pid);
    }
    return { processes, nats: await natsCounts(natsMonitorPort) };
  }

  async #readGauges(): Promise<Readonly<Record<string, number>>> {
    const all: Record<string, number> = {};
    for (const node of this.#options.nodes) {
      const answer = await node.get('/metrics');
      for (const [name, value] of Object.entries(gaugesOf(await answer.text()))) all[`${node.name} ${name}`] = value;
    }
    return all;
  }

  async #busyGauges(): Promise<string[]> {
    const now = await this.#readGauges();
    return Object.entries(now)
      .filter(([name, value]) => value !== (this.#gauges[name] ?? 0))
      .map(([name, value]) => `${name} is ${value}, not ${this.#gauges[name] ?? 0}`);
  }

  /** What there is more of than at the first rest. */
  #more({ processes, nats }: Pick<Rest, 'processes' | 'nats'>): string[] {
    const [first] = this.all;
    if (first === undefined) return [];
    const more = (what: string, now: number, then: number, spare = 0) => (now > then + spare ? [`${what}: ${now}, not ${then}`] : []);
    return [
      ...Object.entries(processes).flatMap(([name, alive]) =>
        COUNTED.flatMap((what) => more(`${name} ${what}`, alive[what], first.processes[name]?.[what] ?? 0, SPARE[what])),
      ),
      ...more(`consumers of NATS (${nats.consumerNames.join(' ')})`, nats.consumers, first.nats.consumers),
      ...more('subscriptions of NATS', nats.subscriptions, first.nats.subscriptions),
      ...more('connections of NATS', nats.connections, first.nats.connections),
    ];
  }
}
