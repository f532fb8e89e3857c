import type { HubEnd } from '../link/link.ts';
import { type LinkItem, PublicationMessage, type TopicState, type ToWorker } from '../link/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import type { RecentBudget } from '../recent/budget.ts';
import type { Latest } from '../recent/latest.ts';
import type { PastLife } from '../recent/lives.ts';
import { Ring } from '../recent/ring.ts';
import { latestFor } from '../recent/state.ts';
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
  /** The recent items of all topics of the hub. */
  readonly recent: RecentBudget<LinkItem>;
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
  readonly #recent: RecentBudget<LinkItem>;
  /** A list, and what is below undefined or shared where it can be: there may be very many topics, and few workers. */
  #interests: readonly Interest[] = [];
  readonly #whenRoom: (worker: HubEnd, tell: () => void) => void;
  /** Of a durable topic without keys. A keyed one recovers by its state. */
  #ring: Ring<LinkItem> | undefined;
  /** Of a durable topic. */
  #latest: Latest<LinkItem> | undefined;
  #knownFrom = 0;
  #buffered: LinkItem[] | undefined = [];
  #overflowed = false;
  #life = 0;
  #epoch = '';
  #before = NO_LIVES;
  #offset = 0;
  #awayReason: string | null = null;

  constructor({ topic, number, durable, keyed, recent, whenRoom = AT_ONCE }: HubTopicOptions) {
    this.topic = topic;
    this.number = number;
    this.durable = durable;
    this.keyed = keyed;
    this.#recent = recent;
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
    this.#knownFrom = state.knownFrom ?? 0;
    if (this.durable) this.#keepPast(state);
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
      this.#latest?.set(item, -1);
      this.#ring?.push(item);
    }
    this.published++;
    const message = new PublicationMessage(this.number, this.#offset, item);
    this.#offset = item.offset;
    this.#broadcast(message);
  }

  /**
   * Everything that came after the offset: of a keyed topic the latest item of every key that changed. Undefined: some of it is not here.
   * Only of a durable topic that is open.
   */
  after(offset: number): LinkItem[] | undefined {
    if (offset >= this.#offset) return [];
    return this.keyed ? this.#latest?.after(offset) : this.#ring?.after(offset);
  }

  /** The last so many publications; undefined: some of them are not here. */
  last(count: number): LinkItem[] | undefined {
    return this.#ring === undefined || this.#ring.size < count ? undefined : this.#ring.last(count);
  }

  /** Takes what was read of the log: see {@link Ring.prepend}. */
  prepend(items: readonly LinkItem[], after: number, upTo: number): void {
    this.#ring?.prepend(items, after, upTo);
  }

  /** The topic is not used any more: the bytes that it holds are given back. */
  close(): void {
    this.#ring?.clear();
  }

  #keepPast({ offset, completeFrom, items }: OpenState): void {
    this.#ring?.clear();
    this.#ring = this.keyed ? undefined : new Ring(this.#recent, offset);
    this.#latest = latestFor(this.keyed ? 'byKey' : 'item', this.#recent, completeFrom);
    for (const item of items) this.#latest.set(item, -1);
  }

  #openedMessage(): Extract<ToWorker, { kind: 'opened' }> {
    return {
      kind: 'opened',
      topic: this.topic,
      topicNumber: this.number,
      epoch: this.#epoch,
      ...(this.#before.length > 0 && { before: this.#before }),
      offset: this.#offset,
      completeFrom: this.#latest?.completeFrom ?? 0,
      items: this.#latest?.between(-1, Number.POSITIVE_INFINITY) ?? [],
    };
  }

  #statusMessage(): ToWorker {
    return { kind: 'topicStatus', topic: this.topic, awayReason: this.#awayReason };
  }

  #broadcast(message: ToWorker): void {
    for (const { worker, told } of this.#interests) if (told.kind === 'state') worker.send(message);
  }
}
