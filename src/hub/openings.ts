import { setTimeout as sleep } from 'node:timers/promises';
import { BusError } from '../bus/bus-error.ts';
import { Limiter } from '../bus/limiter.ts';
import type { HubTopic } from './hub-topic.ts';

/** Groups that are opened at the same time. What is asked for meanwhile waits for the next one. */
const GROUPS_MAX = 2;
/** A new leader needs a moment to know everything. */
const ATTEMPTS_MAX = 3;

/** A topic that is to be opened. */
export interface Opening {
  readonly topic: HubTopic;
  /** Of its buffering. */
  readonly life: number;
}

interface Waiting extends Opening {
  resolve(): void;
  reject(error: Error): void;
}

export interface OpeningsOptions {
  /** Topics that are opened at the same time. Live publications are handled in between. */
  readonly atOnceMax: number;
  /** Topics that may wait. */
  readonly waitingMax: number;
  readonly retryPauseMs: number;
  /** Resolves when the log can be followed and read. @throws BusError */
  ready(): Promise<void>;
  /** Opens one topic. Nothing happens if it does not buffer any more. @throws BusError */
  open(opening: Opening): Promise<void>;
  /** Opens topics with few questions to the log. @returns those that must be read again. @throws BusError if none is opened */
  openTogether(openings: readonly Opening[]): Promise<readonly Opening[]>;
  /** Whether it is of those that can be opened together. */
  canShare(topic: HubTopic): boolean;
  /** When its turn came, the topic had no subscribers left. */
  onUnwanted(topic: HubTopic): void;
}

/**
 * The topics of one namespace that are being opened. Those that are asked for at the same time are opened together, because questions to the log, promises and
 * timers for each were most of what a hub spends when its clients come back. What cannot be opened so is opened by itself.
 */
export class Openings {
  readonly #options: OpeningsOptions;
  readonly #alone: Limiter;
  #waiting: Waiting[] = [];
  #groups = 0;
  /** Topics of these. */
  #underWay = 0;
  #turn: NodeJS.Immediate | undefined;

  constructor(options: OpeningsOptions) {
    this.#options = options;
    this.#alone = new Limiter(options.atOnceMax, options.waitingMax);
  }

  /** Opens a new topic in its turn, unless it has no subscribers left by then. @throws BusError, `bus_busy` if too many wait */
  open(topic: HubTopic, life: number): Promise<void> {
    if (!this.#options.canShare(topic)) return this.#alone.run(() => this.#openAlone({ topic, life }));
    const { atOnceMax, waitingMax } = this.#options;
    if (this.#waiting.length + this.#underWay >= atOnceMax + waitingMax)
      return Promise.reject(new BusError('bus_busy', 'too many topics are waiting to be opened'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, life, resolve, reject });
      // All that are asked for in this turn of the loop are here by then.
      this.#turn ??= setImmediate(() => {
        this.#turn = undefined;
        this.#next();
      });
    });
  }

  #next(): void {
    const { atOnceMax } = this.#options;
    while (this.#groups < GROUPS_MAX && this.#underWay < atOnceMax && this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, Math.min(Math.ceil(atOnceMax / GROUPS_MAX), atOnceMax - this.#underWay));
      this.#groups++;
      this.#underWay += group.length;
      void this.#openGroup(group).finally(() => {
        this.#groups--;
        this.#underWay -= group.length;
        this.#next();
      });
    }
  }

  /** Never rejects. */
  async #openGroup(waiting: readonly Waiting[]): Promise<void> {
    const { ready, openTogether } = this.#options;
    const group: Waiting[] = [];
    for (const opening of waiting) {
      this.#closeIfUnwanted(opening);
      if (isWanted(opening)) group.push(opening);
      else opening.resolve();
    }
    if (group.length === 0) return;
    try {
      await ready();
    } catch (error) {
      for (const { reject } of group) reject(error as Error);
      return;
    }
    const again = await openTogether(group).catch(() => undefined);
    const left = new Set<Opening>(again ?? group);
    // Each has been tried once, unless it only has to be read again.
    const attempts = again === undefined ? 1 : 0;
    for (const opening of group) {
      if (!left.has(opening)) opening.resolve();
      else this.#alone.run(() => this.#openAlone(opening, attempts)).then(opening.resolve, opening.reject);
    }
  }

  async #openAlone(opening: Opening, attempts = 0): Promise<void> {
    const { ready, open, retryPauseMs } = this.#options;
    for (let attempt = attempts + 1; ; attempt++) {
      this.#closeIfUnwanted(opening);
      if (!isWanted(opening)) return;
      if (attempt > 1) await sleep(retryPauseMs);
      await ready();
      try {
        return await open(opening);
      } catch (error) {
        // If the log was reset meanwhile, all topics are reset.
        if (!opening.topic.isBuffering(opening.life)) return;
        if (attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  /** The next subscriber opens it again. */
  #closeIfUnwanted({ topic }: Opening): void {
    if (!topic.isWanted) this.#options.onUnwanted(topic);
  }
}

function isWanted({ topic, life }: Opening): boolean {
  return topic.isWanted && topic.isBuffering(life);
}
