import type { HubEnd } from '../link/link.ts';
import { type LinkItem, PublicationMessage, type TopicState, type ToWorker } from '../link/messages.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { Metered } from './topic-rates.ts';

/** Publications that may wait while a topic is being opened; past it they are let go and the topic's state is read again. */
export const OPENING_BUFFER_MAX = 10_000;

/**
 * A topic that somebody on this node is interested in: its `prev` chain, its state, and the workers that want it.
 *
 * Opening: publications are held from the moment the topic is registered; then its state is read from the log. Whatever the follower had delivered
 * before registration was in the log before the read, so the read has it; what is held with an offset at or below the state's is in it already.
 * From there the chain is its own.
 */
export class HubTopic implements Metered {
  published = 0;
  publishedSampled = 0;
  publishedPerSecond = 0;
  readonly topic: Topic;
  readonly number: number;
  readonly durable: boolean;
  readonly #keysMax: number;
  readonly #workers = new Set<HubEnd>();
  #latest = new Map<Key | null, LinkItem>();
  #held: LinkItem[] | undefined = [];
  #overflowed = false;
  #epoch = '';
  #offset = 0;

  constructor(topic: Topic, number: number, durable: boolean, keysMax: number) {
    this.topic = topic;
    this.number = number;
    this.durable = durable;
    this.#keysMax = keysMax;
  }

  get isOpen(): boolean {
    return this.#held === undefined;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** The next publication's `prev`. */
  get offset(): number {
    return this.#offset;
  }

  get workerCount(): number {
    return this.#workers.size;
  }

  addWorker(worker: HubEnd): void {
    this.#workers.add(worker);
    if (this.isOpen) worker.send(this.#openedMessage());
  }

  removeWorker(worker: HubEnd): void {
    this.#workers.delete(worker);
  }

  /** Takes the state that was read and lets what was held follow it. With a reason, clients are told to resync. */
  open(state: TopicState, resyncReason?: string): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#epoch = state.epoch;
    this.#offset = state.offset;
    this.#latest = new Map(state.items.map((item) => [item.key, item]));
    this.#broadcast(
      resyncReason === undefined ? this.#openedMessage() : { ...this.#openedMessage(), kind: 'resync', reason: resyncReason },
    );
    for (const item of held) this.publish(item);
  }

  /** Holds publications until the next {@link open}: the log turned out not to be what it was, and what was held is of what it was. */
  reopen(): void {
    this.#held = [];
  }

  fail(message: Extract<ToWorker, { kind: 'openFailed' }>): void {
    this.#broadcast(message);
    this.#workers.clear();
  }

  /** Did more arrive during the opening than may wait? Then the state that was read is too old to open with: read it again. */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  publish(item: LinkItem): void {
    if (this.#held !== undefined) {
      if (this.#held.length >= OPENING_BUFFER_MAX) {
        this.#held = [];
        this.#overflowed = true;
      }
      this.#held.push(item);
      return;
    }
    if (this.durable) {
      if (item.offset <= this.#offset) return;
      this.#remember(item);
    }
    this.published++;
    const message = new PublicationMessage(this.number, this.#offset, item);
    this.#offset = item.offset;
    this.#broadcast(message);
  }

  #remember(item: LinkItem): void {
    this.#latest.delete(item.key);
    this.#latest.set(item.key, item);
    if (this.#latest.size <= this.#keysMax) return;
    const [oldest] = this.#latest.keys();
    this.#latest.delete(oldest as Key | null);
  }

  #openedMessage(): Extract<ToWorker, { kind: 'opened' }> {
    return {
      kind: 'opened',
      topic: this.topic,
      topicNumber: this.number,
      epoch: this.#epoch,
      offset: this.#offset,
      items: [...this.#latest.values()],
    };
  }

  #broadcast(message: ToWorker): void {
    for (const worker of this.#workers) worker.send(message);
  }
}
