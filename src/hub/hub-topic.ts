import type { RecoveryAnswer } from '../link/answers.ts';
import type { HubEnd } from '../link/link.ts';
import type { TopicState, ToWorker } from '../link/messages.ts';
import { type LinkItem, PublicationMessage } from '../link/publication-message.ts';
import { type FeedName, isPattern } from '../protocol/feed-name.ts';
import { toBuffer } from '../protocol/kept-bytes.ts';
import type { Stale } from '../protocol/messages.ts';
import { unpackMsgpack } from '../protocol/msgpack-codec.ts';
import type { Key } from '../protocol/topic.ts';
import type { RecentBudget } from '../recent/budget.ts';
import type { Latest } from '../recent/latest.ts';
import { inPresentLife, type PastLife, type Since } from '../recent/lives.ts';
import { Ring } from '../recent/ring.ts';
import { latestFor, type StateKind } from '../recent/state.ts';
import type { KnownImage } from './documents/document-reader.ts';
import type { HubDocument } from './documents/hub-document.ts';
import { HubDocuments } from './documents/hub-documents.ts';
import { bytesOf } from './recent-items.ts';
import type { Metered } from './topic-rates.ts';

/** Maximum number of publications that wait while a topic is opened. Above it they are dropped, and the state of the topic is read again. */
export const OPENING_BUFFER_MAX = 10_000;

/** The state of a topic, and the offset from which clients' positions in it can be trusted. */
export interface OpenState extends TopicState {
  readonly knownFrom?: number;
  /** Of its document: the last one in the log. */
  readonly image?: KnownImage | undefined;
  /** Those of its keys, which are its state. */
  readonly documents?: HubDocuments;
}

/** How a topic keeps its document. */
export interface DocumentOptions {
  /** @param isKnown false: until it is published as a whole, there is none */
  create(completeFrom: number, isKnown: boolean): HubDocument | HubDocuments;
  /** A publication is skipped, because it would make the document too large. */
  onRefused(topic: FeedName, problem: string): void;
}

export interface HubTopicOptions {
  readonly topic: FeedName;
  readonly number: number;
  readonly durable: boolean;
  readonly state: StateKind;
  /** Creates its document, where its state is one. */
  readonly document?: DocumentOptions;
  /** The recent items of all topics of the hub. */
  readonly recent: RecentBudget<LinkItem>;
  /** Calls back when the link has room for a whole state. Default: immediately. */
  readonly whenRoom?: (worker: HubEnd, tell: () => void) => void;
}

/** Missed items that go with `opened`, at most. More is asked for by itself, within the bounds of large answers. */
export const MISSED_BYTES_MAX = 65_536;

/** A client that comes back to the topic is why a worker wants it. */
export interface Returning {
  readonly since: Since;
  /** Brings what came after the offset from the log into the ring, where it fits. Never rejects, and does not take long. */
  bring(after: number): Promise<void>;
}

/** What a worker knows of the topic: nothing yet; its state; or the state of an earlier epoch, with the reason for the reset. */
type Told =
  | { readonly kind: 'nothing'; readonly returning?: Returning }
  | { readonly kind: 'state' }
  | { readonly kind: 'oldState'; readonly reason: string };
const NOTHING: Told = { kind: 'nothing' };
const STATE: Told = { kind: 'state' };

/** A worker that wants the topic, and what it has been told. A worker that knows nothing of the topic must get neither a resync nor a publication. */
interface Interest {
  readonly worker: HubEnd;
  told: Told;
}

const AT_ONCE = (_: HubEnd, tell: () => void) => tell();
const NO_LIVES: readonly PastLife[] = [];
/** Why clients of a topic without a state are resynced. */
export const DOCUMENT_KNOWN = 'the document is known again';

/**
 * A topic with subscribers on this node: its `prev` chain, its state, and the workers that want it.
 *
 * Opening: publications are buffered from the moment the topic is registered; then its state is read from the log. Whatever the follower had delivered before
 * the registration was in the log before the read, so the read has it. A buffered publication with an offset at or below the state's is already in the state.
 * From there on the topic keeps the chain itself. When the log is reset, the same happens again, and answers that were requested before are ignored.
 */
export class HubTopic implements Metered {
  published = 0;
  publishedSampled = 0;
  publishedPerSecond = 0;
  readonly topic: FeedName;
  readonly number: number;
  readonly durable: boolean;
  readonly state: StateKind;
  readonly #recent: RecentBudget<LinkItem>;
  readonly #documents: DocumentOptions | undefined;
  /** A list, and the fields below are undefined or shared where possible: there may be very many topics, and only few workers. */
  #interests: readonly Interest[] = [];
  readonly #whenRoom: (worker: HubEnd, tell: () => void) => void;
  /** Of a durable topic whose state is its last item. Others recover by their state. */
  #ring: Ring<LinkItem> | undefined;
  #document: HubDocument | HubDocuments | undefined;
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
  #stale: Stale | null = null;
  #holds = 0;
  #openWaiters: ((isOpen: boolean) => void)[] | undefined;

  constructor({ topic, number, durable, state, document, recent, whenRoom = AT_ONCE }: HubTopicOptions) {
    this.topic = topic;
    this.number = number;
    this.durable = durable;
    this.state = state;
    this.#recent = recent;
    this.#documents = document;
    this.#whenRoom = whenRoom;
  }

  get isOpen(): boolean {
    return this.#buffered === undefined;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** The `prev` of the next publication. */
  get offset(): number {
    return this.#offset;
  }

  /** Positions before this offset may be of another history. */
  get knownFrom(): number {
    return this.#knownFrom;
  }

  /** Of an open topic. */
  get document(): HubDocument | HubDocuments | undefined {
    return this.#document;
  }

  /** By a worker, or by {@link hold}. */
  get isWanted(): boolean {
    return this.#interests.length > 0 || this.#holds > 0;
  }

  /** It is wanted for its documents, until {@link release}. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds = Math.max(0, this.#holds - 1);
  }

  /** Resolves with false if it is given up before. */
  whenOpen(): Promise<boolean> {
    if (this.isOpen) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#openWaiters ??= [];
      this.#openWaiters.push(resolve);
    });
  }

  addWorker(worker: HubEnd, returning?: Returning): void {
    this.removeWorker(worker);
    const interest: Interest = { worker, told: returning === undefined ? NOTHING : { kind: 'nothing', returning } };
    // Exactly as long as needed: an array that grows by push allocates 17 places at once.
    this.#interests = this.#interests.concat(interest);
    if (this.isOpen) this.#tellWhenRoom(interest);
  }

  /** Tells the state of the topic to a worker that does not know it. The worker must not have received anything of the topic before. */
  #tellWhenRoom(interest: Interest): void {
    const { worker, told } = interest;
    const tell = () => this.#whenRoom(worker, () => this.#tell(interest));
    const brought = told.kind === 'nothing' && told.returning !== undefined ? this.#bring(told.returning) : undefined;
    if (brought === undefined) tell();
    else void brought.then(tell);
  }

  /** Undefined: there is nothing to bring, or nothing can be brought. */
  #bring({ since, bring }: Returning): Promise<void> | undefined {
    const after = this.#offsetOf(since);
    return this.#ring === undefined || after === undefined || after >= this.#ring.baseOffset ? undefined : bring(after);
  }

  /** The offset of a position that counts in the present life, and is not ahead of it. */
  #offsetOf(since: Since): number | undefined {
    const { epoch, offset } = inPresentLife({ epoch: this.#epoch, before: this.#before }, since);
    return epoch === this.#epoch && offset <= this.#offset ? offset : undefined;
  }

  #missedSince(since: Since): RecoveryAnswer | undefined {
    const after = this.#offsetOf(since);
    const items = after === undefined ? undefined : this.#ring?.after(after);
    if (items === undefined || items.length === 0) return undefined;
    if (items.reduce((bytes, item) => bytes + bytesOf(item), 0) > MISSED_BYTES_MAX) return undefined;
    return { epoch: this.#epoch, completeFrom: after, offset: this.#offset, items };
  }

  #tell(interest: Interest): void {
    const { worker, told } = interest;
    // The worker has left, the topic is being opened again and will tell it then, or it has been told meanwhile.
    if (!this.#interests.includes(interest) || told.kind === 'state' || !this.isOpen) return;
    interest.told = STATE;
    const opened = this.#openedMessage();
    if (told.kind === 'oldState') worker.send({ ...opened, kind: 'resync', reason: told.reason });
    else {
      const missed = told.returning && this.#missedSince(told.returning.since);
      worker.send(missed === undefined ? opened : { ...opened, missed });
    }
    if (this.#awayReason !== null) worker.send(this.#statusMessage());
  }

  /** Tells clients the reason why the topic is not live; null: it is live again. */
  setAway(reason: string | null): void {
    if (this.#awayReason === reason) return;
    this.#awayReason = reason;
    this.#broadcast(this.#statusMessage());
  }

  /** Tells clients that the topic has not been heard; null: it has. */
  setStale(stale: Stale | null): void {
    this.#stale = stale;
    this.#broadcast({ kind: 'topicStale', topic: this.topic, stale });
  }

  removeWorker(worker: HubEnd): void {
    this.#interests = this.#interests.filter((interest) => interest.worker !== worker);
  }

  /** Buffers publications from here on, and drops those buffered before. @returns a number to pass to {@link isBuffering} */
  startBuffering(): number {
    this.#buffered = [];
    this.#overflowed = false;
    return ++this.#life;
  }

  isBuffering(life: number): boolean {
    return this.#buffered !== undefined && this.#life === life;
  }

  /** Takes the state that was read, and publishes what was buffered after it. With a reason, clients are told to resync. */
  open(state: OpenState, resyncReason?: string): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    this.#epoch = state.epoch;
    this.#before = state.before ?? NO_LIVES;
    this.#offset = state.offset;
    this.#knownFrom = state.knownFrom ?? 0;
    if (this.durable) this.#keepPast(state);
    this.#tellAll(resyncReason);
    for (const item of buffered) this.publish(item);
    this.#tellWaiters(true);
  }

  #tellWaiters(isOpen: boolean): void {
    for (const tell of this.#openWaiters ?? []) tell(isOpen);
    this.#openWaiters = undefined;
  }

  #tellAll(resyncReason?: string): void {
    for (const interest of this.#interests) {
      if (interest.told.kind === 'state') interest.told = resyncReason === undefined ? NOTHING : { kind: 'oldState', reason: resyncReason };
      this.#tellWhenRoom(interest);
    }
  }

  fail(message: Extract<ToWorker, { kind: 'openFailed' }>): void {
    for (const { worker } of this.#interests) worker.send(message);
    this.#interests = [];
    this.#holds = 0;
  }

  /** Whether more publications arrived during the opening than may wait. Then the state is too old to open with, and must be read again. */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  publish(item: LinkItem): void {
    const prev = this.take(item);
    if (prev !== undefined) this.#broadcast(new PublicationMessage(this.number, prev, item));
  }

  /**
   * Takes the next publication into the chain and the state. @returns the offset before it, for those that are {@link told}; undefined: there is nothing to send
   */
  take(item: LinkItem): number | undefined {
    if (this.#buffered !== undefined) {
      if (this.#buffered.length >= OPENING_BUFFER_MAX) {
        this.#buffered = [];
        this.#overflowed = true;
      }
      this.#buffered.push(item);
      return undefined;
    }
    if (this.durable) {
      if (item.offset <= this.#offset) return undefined;
      if (this.#document === undefined) this.#latest?.set(item, -1);
      else if (!this.#fold(this.#document, item)) return undefined;
      this.#ring?.push(item);
    }
    this.published++;
    const prev = this.#offset;
    this.#offset = item.offset;
    return prev;
  }

  /** The workers that know its state, and get its publications. */
  *told(): Iterable<HubEnd> {
    for (const { worker, told } of this.#interests) if (told.kind === 'state') yield worker;
  }

  /** @returns false if there is nothing to send: the document stays what it was, or everybody is told the whole one */
  #fold(document: HubDocument | HubDocuments, item: LinkItem): boolean {
    const taken = document.take(item);
    switch (taken.kind) {
      case 'folded':
        return true;
      case 'refused':
        this.#documents?.onRefused(this.topic, taken.problem);
        return false;
      case 'unknown':
        this.#offset = item.offset;
        return false;
      case 'begun':
        this.#offset = item.offset;
        this.#tellAll(DOCUMENT_KNOWN);
        return false;
    }
  }

  /**
   * Everything that came after the offset: of a keyed topic the latest item of every key that changed. Undefined: some of it is not here.
   * Only of a durable topic that is open.
   */
  after(offset: number): LinkItem[] | undefined {
    if (offset >= this.#offset) return [];
    return this.state === 'last' ? this.#ring?.after(offset) : this.#latest?.after(offset);
  }

  /** The last so many publications; undefined: some of them are not here. */
  last(count: number): LinkItem[] | undefined {
    return this.#ring === undefined || this.#ring.size < count ? undefined : this.#ring.last(count);
  }

  /** Takes what was read of the log: see {@link Ring.prepend}. */
  prepend(items: readonly LinkItem[], after: number, upTo: number): void {
    this.#ring?.prepend(items, after, upTo);
  }

  /** Whether the documents of an open topic have no room for what this item makes of that of its key. */
  refuses(item: LinkItem): boolean {
    const documents = this.#document;
    if (!this.isOpen || item.removed || !(documents instanceof HubDocuments) || item.offset <= this.#offset) return false;
    return documents.problemOf(unpackMsgpack(toBuffer(item.data)), item.patch === true, item.key) !== undefined;
  }

  /** What the topic of one key begins with, as of now. Only of an open topic with documents. */
  stateOfKey(key: Key): OpenState {
    const documents = this.#document as HubDocuments;
    const item = documents.itemOf(key);
    return {
      epoch: this.#epoch,
      before: this.#before,
      offset: item?.offset ?? this.#offset,
      completeFrom: documents.completeFrom,
      knownFrom: this.#knownFrom,
      items: item === undefined ? [] : [item],
      ...(!documents.isKnownKey(key) && { unavailable: true as const }),
    };
  }

  /** The topic is not used any more: the bytes that it holds are given back. */
  close(): void {
    this.#ring?.clear();
    this.#latest?.clear?.();
    this.#tellWaiters(false);
  }

  #keepPast({ offset, completeFrom, items, unavailable, documents }: OpenState): void {
    this.#ring?.clear();
    this.#latest?.clear?.();
    const ring = new Ring(this.#recent, offset);
    this.#ring = this.state === 'last' ? ring : undefined;
    this.#document = documents ?? this.#documents?.create(completeFrom, unavailable !== true);
    // Of a pattern the latest is kept by topic and key.
    // In the hub they have no ring beside them, except those of patterns.
    this.#latest = this.#document ?? latestFor(isPattern(this.topic) ? 'keyed' : this.state, this.#recent, completeFrom, ring, true);
    if (documents === undefined) for (const item of items) this.#latest.set(item, -1);
  }

  #openedMessage(): Extract<ToWorker, { kind: 'opened' }> {
    return {
      kind: 'opened',
      topic: this.topic,
      topicNumber: this.number,
      epoch: this.#epoch,
      ...(this.#before.length > 0 && { before: this.#before }),
      offset: this.#offset,
      completeFrom: this.#document?.isKnown === false ? this.#offset : (this.#latest?.completeFrom ?? 0),
      items: this.#latest?.between(-1, Number.POSITIVE_INFINITY) ?? [],
      ...(this.#document?.isKnown === false && { unavailable: true as const }),
      ...(this.#stale !== null && { stale: this.#stale }),
    };
  }

  #statusMessage(): ToWorker {
    return { kind: 'topicStatus', topic: this.topic, awayReason: this.#awayReason };
  }

  #broadcast(message: ToWorker): void {
    for (const { worker, told } of this.#interests) if (told.kind === 'state') worker.send(message);
  }
}
