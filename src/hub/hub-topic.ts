import type { HubEnd } from '../link/link.ts';
import { type LinkItem, type PastLife, PublicationMessage, type TopicState, type ToWorker } from '../link/messages.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { TopicCache } from './topic-cache.ts';
import type { Metered } from './topic-rates.ts';

/** Publications that may wait while a topic is being opened; past it they are let go and the topic's state is read again. */
export const OPENING_BUFFER_MAX = 10_000;

/** A topic's state, and from where on clients' positions in it can be trusted. */
export interface OpenState extends TopicState {
  readonly knownFrom?: number;
}

export interface HubTopicOptions {
  readonly topic: Topic;
  readonly number: number;
  readonly durable: boolean;
  readonly keyed: boolean;
  readonly keysMax: number;
  /** Recent items, for topics whose history is their items: durable ones without keys. */
  readonly cache: TopicCache | undefined;
  /** Calls back when the link has room for a whole state; default: at once. */
  readonly whenRoom?: (worker: HubEnd, tell: () => void) => void;
}

/** What a worker knows of the topic: nothing yet; or what it is; or that of a life that is over, for the reason given. */
type Told = { readonly kind: 'nothing' } | { readonly kind: 'state' } | { readonly kind: 'oldState'; readonly reason: string };
const NOTHING: Told = { kind: 'nothing' };
const STATE: Told = { kind: 'state' };

/** One that wants the topic, and what it has been told: a resync would mean nothing to one that knows nothing, nor a publication. */
interface Interest {
  readonly worker: HubEnd;
  told: Told;
}

const AT_ONCE = (_: HubEnd, tell: () => void) => tell();
const NO_LIVES: readonly PastLife[] = [];

/**
 * A topic that somebody on this node is interested in: its `prev` chain, its state, and the workers that want it.
 *
 * Opening: publications are buffered from the moment the topic is registered; then its state is read from the log. Whatever the follower had delivered
 * before registration was in the log before the read, so the read has it; what is buffered with an offset at or below the state's is in it already.
 * From there the chain is its own. When the log breaks the same happens again, and an answer that was asked for before that counts for nothing.
 */
export class HubTopic implements Metered {
  published = 0;
  publishedSampled = 0;
  publishedPerSecond = 0;
  readonly topic: Topic;
  readonly number: number;
  readonly durable: boolean;
  readonly keyed: boolean;
  readonly cache: TopicCache | undefined;
  readonly #keysMax: number;
  /** A list, and what is below undefined or shared where it can be: there may be very many topics, and few workers. */
  #interests: readonly Interest[] = [];
  readonly #whenRoom: (worker: HubEnd, tell: () => void) => void;
  /** The state of a topic without keys. */
  #last: LinkItem | undefined;
  /** Of a keyed one with a log, by key, in the order in which they last changed. */
  #latest: Map<Key | null, LinkItem> | undefined;
  #completeFrom = 0;
  #knownFrom = 0;
  #buffered: LinkItem[] | undefined = [];
  #overflowed = false;
  #life = 0;
  #epoch = '';
  #before = NO_LIVES;
  #offset = 0;
  #awayReason: string | null = null;

  constructor({ topic, number, durable, keyed, keysMax, cache, whenRoom = AT_ONCE }: HubTopicOptions) {
    this.topic = topic;
    this.number = number;
    this.durable = durable;
    this.keyed = keyed;
    this.cache = cache;
    this.#keysMax = keysMax;
    this.#whenRoom = whenRoom;
  }

  get isOpen(): boolean {
    return this.#buffered === undefined;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** The next publication's `prev`. */
  get offset(): number {
    return this.#offset;
  }

  /** A position before this offset may be of another history. */
  get knownFrom(): number {
    return this.#knownFrom;
  }

  get workerCount(): number {
    return this.#interests.length;
  }

  addWorker(worker: HubEnd): void {
    this.removeWorker(worker);
    const interest = { worker, told: NOTHING };
    // As long as it must be: an array that grows by push takes 17 places at once.
    this.#interests = this.#interests.concat(interest);
    if (this.isOpen) this.#tellWhenRoom(interest);
  }

  /** What the topic is, to a worker that does not know; nothing of it may have come to that worker before. */
  #tellWhenRoom(interest: Interest): void {
    this.#whenRoom(interest.worker, () => this.#tell(interest));
  }

  #tell(interest: Interest): void {
    const { worker, told } = interest;
    // Gone, or being opened again, and then told; or told meanwhile.
    if (!this.#interests.includes(interest) || told.kind === 'state' || !this.isOpen) return;
    interest.told = STATE;
    const opened = this.#openedMessage();
    worker.send(told.kind === 'oldState' ? { ...opened, kind: 'resync', reason: told.reason } : opened);
    if (this.#awayReason !== null) worker.send(this.#statusMessage());
  }

  /** Nothing of the topic comes, with the reason for clients; or it comes again: null. */
  setAway(reason: string | null): void {
    if (this.#awayReason === reason) return;
    this.#awayReason = reason;
    this.#broadcast(this.#statusMessage());
  }

  removeWorker(worker: HubEnd): void {
    this.#interests = this.#interests.filter((interest) => interest.worker !== worker);
  }

  /** Buffers publications from here on, and drops what was buffered before. @returns what the {@link open} that ends this must know */
  startBuffering(): number {
    this.#buffered = [];
    this.#overflowed = false;
    return ++this.#life;
  }

  isBuffering(life: number): boolean {
    return this.#buffered !== undefined && this.#life === life;
  }

  /** Takes the state that was read and lets what was buffered follow it. With a reason, clients are told to resync. */
  open(state: OpenState, resyncReason?: string): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    this.#epoch = state.epoch;
    this.#before = state.before ?? NO_LIVES;
    this.#offset = state.offset;
    this.#completeFrom = state.completeFrom;
    this.#knownFrom = state.knownFrom ?? 0;
    if (this.durable && this.keyed) this.#latest = new Map(state.items.map((item) => [item.key, item]));
    else this.#last = state.items.at(-1);
    this.cache?.clear(state.offset);
    for (const interest of this.#interests) {
      if (interest.told.kind === 'state') interest.told = resyncReason === undefined ? NOTHING : { kind: 'oldState', reason: resyncReason };
      this.#tellWhenRoom(interest);
    }
    for (const item of buffered) this.publish(item);
  }

  fail(message: Extract<ToWorker, { kind: 'openFailed' }>): void {
    for (const { worker } of this.#interests) worker.send(message);
    this.#interests = [];
  }

  /** Did more arrive during the opening than may wait? Then the state that was read is too old to open with: read it again. */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  publish(item: LinkItem): void {
    if (this.#buffered !== undefined) {
      if (this.#buffered.length >= OPENING_BUFFER_MAX) {
        this.#buffered = [];
        this.#overflowed = true;
      }
      this.#buffered.push(item);
      return;
    }
    if (this.durable) {
      if (item.offset <= this.#offset) return;
      this.#remember(item);
      this.cache?.push(item);
    }
    this.published++;
    const message = new PublicationMessage(this.number, this.#offset, item);
    this.#offset = item.offset;
    this.#broadcast(message);
  }

  /** Latest item of every key that changed after the offset, oldest first; undefined where a change may have been forgotten. */
  changedAfter(offset: number): LinkItem[] | undefined {
    if (!this.isOpen || offset < this.#completeFrom) return undefined;
    return this.#items().filter((item) => item.offset > offset);
  }

  #items(): LinkItem[] {
    if (this.#latest !== undefined) return [...this.#latest.values()];
    return this.#last === undefined ? [] : [this.#last];
  }

  #remember(item: LinkItem): void {
    const latest = this.#latest;
    if (latest === undefined) {
      this.#last = item;
      return;
    }
    latest.delete(item.key);
    latest.set(item.key, item);
    if (latest.size <= this.#keysMax) return;
    const [oldest] = latest.values() as Iterable<LinkItem>;
    if (oldest === undefined) return;
    latest.delete(oldest.key);
    this.#completeFrom = Math.max(this.#completeFrom, oldest.offset);
  }

  #openedMessage(): Extract<ToWorker, { kind: 'opened' }> {
    return {
      kind: 'opened',
      topic: this.topic,
      topicNumber: this.number,
      epoch: this.#epoch,
      ...(this.#before.length > 0 && { before: this.#before }),
      offset: this.#offset,
      completeFrom: this.#completeFrom,
      items: this.#items(),
    };
  }

  #statusMessage(): ToWorker {
    return { kind: 'topicStatus', topic: this.topic, awayReason: this.#awayReason };
  }

  #broadcast(message: ToWorker): void {
    for (const { worker, told } of this.#interests) if (told.kind === 'state') worker.send(message);
  }
}
