import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { PublicationMessage, ToWorker } from '../link/messages.ts';

export interface HubQueueOptions {
  readonly link: Pick<WorkerEnd, 'pause' | 'resume'>;
  /** Maximum time of one wait; 0: never wait. */
  readonly holdMaxMs: number;
  /** If a topic's ring has fewer bytes, others never wait for it. */
  readonly holdFromBytes: number;
  /** @returns the feed that it went to */
  readonly publish: (message: PublicationMessage) => TopicFeed | undefined;
  readonly other: (message: Exclude<ToWorker, { kind: 'publication' }>) => void;
  /** These feeds have new items. */
  readonly wake: (feeds: Iterable<TopicFeed>) => void;
  readonly onHold: () => void;
}

const LOOK_EVERY_MS = 1;
/** Share of the passing time that can be used for waiting again: beside a feed that is always too fast, others wait at most a tenth of the time. */
const REFILL = 0.1;

/**
 * Messages from the hub, in order. A node that was disconnected from NATS gets all that it missed at once, faster than it can be sent to members. It would
 * evict from the ring what they have not received, and each of them would have to request history. So further messages wait, here and in the hub, until half
 * the ring is free again. (Measured with 9,000 publications missed by 1,000 members: all are live again after 2.2 s instead of 7.4.) The wait is limited: if a
 * feed stays too fast, the ring overruns, and its members repair the gap.
 */
export class HubQueue {
  readonly #options: HubQueueOptions;
  #waiting: readonly ToWorker[] = [];
  #crowded: TopicFeed | undefined;
  #timer: NodeJS.Timeout | undefined;
  #budgetMs: number;
  #budgetAtMs = performance.now();

  constructor(options: HubQueueOptions) {
    this.#options = options;
    this.#budgetMs = options.holdMaxMs;
  }

  receive(messages: readonly ToWorker[]): void {
    // A paused link delivers only what it had already read.
    if (this.#timer === undefined) this.#take(messages);
    else this.#waiting = [...this.#waiting, ...messages];
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #take(messages: readonly ToWorker[]): void {
    const { publish, other, wake } = this.#options;
    const touched = new Set<TopicFeed>();
    let crowded: TopicFeed | undefined;
    let at = 0;
    for (; at < messages.length && crowded === undefined; at++) {
      const message = messages[at] as ToWorker;
      if (message.kind !== 'publication') {
        other(message);
        continue;
      }
      const feed = publish(message);
      if (feed === undefined) continue;
      touched.add(feed);
      if (feed.isCrowded && this.#mayWait(feed)) crowded = feed;
    }
    if (touched.size > 0) wake(touched);
    if (crowded !== undefined) this.#wait(crowded, messages.slice(at));
  }

  /** Half of a short ring is a handful of publications: waiting for each handful would be slower than any feed. */
  #mayWait({ ring }: TopicFeed): boolean {
    return ring.bytes >= this.#options.holdFromBytes && this.#budget() > 0;
  }

  #wait(crowded: TopicFeed, rest: readonly ToWorker[]): void {
    this.#crowded = crowded;
    this.#waiting = rest;
    this.#options.link.pause();
    this.#options.onHold();
    this.#lookSoon();
  }

  #lookSoon(): void {
    const sinceMs = performance.now();
    this.#timer = setTimeout(() => {
      this.#budgetMs = this.#budget() - (performance.now() - sinceMs);
      if (this.#crowded?.isCrowded && this.#budgetMs > 0) return this.#lookSoon();
      this.#goOn();
    }, LOOK_EVERY_MS);
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#timer = undefined;
    this.#crowded = undefined;
    this.#waiting = [];
    this.#take(waiting);
    if (this.#timer === undefined) this.#options.link.resume();
  }

  #budget(): number {
    const nowMs = performance.now();
    this.#budgetMs = Math.min(this.#options.holdMaxMs, this.#budgetMs + (nowMs - this.#budgetAtMs) * REFILL);
    this.#budgetAtMs = nowMs;
    return this.#budgetMs;
  }
}
