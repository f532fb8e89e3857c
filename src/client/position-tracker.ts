import type { Position, ServerMessage, Item as WireItem } from '../protocol/messages.ts';

/** Where an item comes from: the stream; the recovery of missed items; or the topic's state, with which the stream starts or restarts. */
export type ItemSource = 'live' | 'recovered' | 'snapshot';

export interface Delivery {
  readonly source: ItemSource;
  readonly items: readonly WireItem[];
  /** The position after the last item has been delivered. */
  readonly position: Position;
  /** The stream was reset before it: what the application derived from earlier items is no longer valid. */
  readonly resyncReason: string | undefined;
  /** The topic's state begins with it; the earlier state is no longer valid. */
  readonly startsState: boolean;
}

/** What to do after a message: deliver these in this order, then do `next`. */
export interface Step {
  readonly deliveries: readonly Delivery[];
  /** `askHistory`: send `history` since {@link PositionTracker.position}; `resubscribe`: send `subscribe` since it. */
  readonly next: 'nothing' | 'askHistory' | 'resubscribe';
  /** Items dropped because they had been delivered already. */
  readonly duplicates: number;
}

type HistoryPart = Pick<ServerMessage<'history'>, 'epoch' | 'offset' | 'complete' | 'continues' | 'items'>;
type Batch = Pick<ServerMessage<'batch'>, 'epoch' | 'prev' | 'continues' | 'items'>;

/** Number of answers in a row without anything new after which the topic is subscribed again, instead of asking the log once more. */
const FRUITLESS_ASKS_MAX = 3;

/**
 * The position of one subscription in its topic, and the rule that guarantees delivery: `prev == last`: deliver; `prev < last`: drop what was delivered; `prev
 * > last`: hold the batch, request what is missing, then deliver in order; a new epoch only after a resync. Held batches are bounded. Above the limit the topic
 * is subscribed again from the last position, so that the server sends everything or says that it cannot. No sockets, no clock.
 */
export class PositionTracker {
  readonly #holdItemsMax: number;
  #position: Position | undefined;
  #held: Batch[] = [];
  #heldItems = 0;
  /** The position that the request in flight was given, if there is one. Every position is another object, so an answer to an earlier request is recognized. */
  #askedSince: Position | undefined;
  #fruitlessAsks = 0;
  /** Batches up to this offset bring the rest of what was missed, or of the state. */
  #restUpTo = 0;
  #restSource: ItemSource = 'recovered';
  /** There is no stream yet: only the answer to `subscribe` counts, because anything else was sent before it. */
  #awaiting = true;

  /** @param since where to resume from, if the application kept a position */
  constructor(holdItemsMax: number, since: Position | undefined) {
    this.#holdItemsMax = holdItemsMax;
    this.#position = since;
  }

  /** The position to resume from. Undefined before the first answer, and always in ephemeral topics, which have no positions. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** There is no stream yet, or no longer. */
  get isAwaiting(): boolean {
    return this.#awaiting;
  }

  get heldItems(): number {
    return this.#heldItems;
  }

  /** The connection was lost, or `subscribe` has been sent again. */
  interrupted(): void {
    this.#awaiting = true;
    this.#restUpTo = 0;
    this.#dropHeld();
  }

  /** @param since the position that the `subscribe` requested */
  subscribed(
    { epoch, offset, recovered, items, upTo }: Omit<ServerMessage<'subscribed'>, 'type' | 'id' | 'topic'>,
    since: Position | undefined,
  ): Step {
    this.#awaiting = false;
    this.#dropHeld();
    if (epoch === '') {
      this.#position = undefined;
      return step([stateDelivery(items, { epoch, offset: 0 })]);
    }
    const last = this.#position;
    // Also in another epoch, if that continues the epoch of the position. The first stream may begin at a time: then there is no position yet.
    if (recovered && (since === undefined) === (last === undefined)) {
      const reached = last?.offset ?? 0;
      const fresh = items.filter(([itemOffset]) => itemOffset > reached);
      this.#position = { epoch, offset: Math.max(reached, offset) };
      this.#rest('recovered', upTo);
      return step([this.#delivery('recovered', fresh)], items.length - fresh.length);
    }
    this.#position = { epoch, offset };
    this.#rest('snapshot', upTo);
    return step([stateDelivery(items, this.#position, since && 'what was missed cannot be recovered')]);
  }

  batch(batch: Batch): Step {
    if (this.#awaiting) return step([]);
    const last = this.#position;
    if (last === undefined) return step([deliveryOf('live', batch.items, { epoch: '', offset: 0 })]);
    if (batch.epoch !== last.epoch) return this.#resubscribe();
    if (batch.prev > last.offset) return this.#hold(batch);
    const { delivery, duplicates } = this.#take(batch, last);
    return this.#join(delivery, duplicates);
  }

  /**
   * The answer to `history`, or a part of it: each is processed separately.
   * @param since the {@link position} with which it was requested, the same object. An answer that a reset has overtaken is ignored.
   */
  history({ epoch, offset, complete, continues, items }: HistoryPart, since: Position): Step {
    const last = this.#position;
    if (this.#askedSince !== since || last === undefined) return step([]);
    if (continues !== true) this.#askedSince = undefined;
    if (epoch !== last.epoch || !complete) return this.#resubscribe();
    this.#fruitlessAsks = offset > last.offset ? 0 : this.#fruitlessAsks + 1;
    if (this.#fruitlessAsks >= FRUITLESS_ASKS_MAX) return this.#resubscribe();
    const fresh = items.filter(([itemOffset]) => itemOffset > last.offset);
    this.#position = { epoch, offset: Math.max(last.offset, offset) };
    return this.#join([this.#delivery('recovered', fresh)], items.length - fresh.length);
  }

  /** The log could not be read. @param since as for {@link history} */
  historyFailed(since: Position): Step {
    if (this.#askedSince !== since) return step([]);
    return this.#resubscribe();
  }

  resync({ epoch, offset, reason, items, upTo }: Omit<ServerMessage<'resync'>, 'type' | 'topic'>): Step {
    if (this.#awaiting) return step([]);
    this.#dropHeld();
    this.#position = { epoch, offset };
    this.#rest('snapshot', upTo);
    return step([stateDelivery(items, this.#position, reason)]);
  }

  /** With policy `skip`: everything up to `offset` will not be sent. */
  skippedTo(offset: number): Step {
    const last = this.#position;
    if (this.#awaiting || last === undefined || offset <= last.offset) return step([]);
    this.#position = { epoch: last.epoch, offset };
    return this.#join([], 0);
  }

  /** The new part of a batch that begins at or before `last`. */
  #take(batch: Batch, last: Position): { delivery: Delivery[]; duplicates: number } {
    // Until the range ends there are keys of which something is missing.
    const end = (!batch.continues && batch.items.at(-1)?.[0]) || batch.prev;
    // The usual case, without a copy.
    const items = batch.prev === last.offset ? batch.items : batch.items.filter(([offset]) => offset > last.offset);
    const duplicates = batch.items.length - items.length;
    // What was missed, or the state: the batch may go on beyond it.
    const beyond = last.offset < this.#restUpTo ? items.findIndex(([offset]) => offset > this.#restUpTo) : 0;
    const rest = items.slice(0, beyond < 0 ? undefined : beyond);
    const live = items.slice(rest.length);
    if (end > last.offset) this.#position = { epoch: last.epoch, offset: end };
    const delivery: Delivery[] = [];
    if (rest.length > 0) delivery.push(this.#delivery(this.#restSource, rest));
    if (live.length > 0) delivery.push(this.#delivery('live', live));
    return { delivery, duplicates };
  }

  /** Delivers held batches, as far as they are now contiguous. */
  #join(deliveries: readonly Delivery[], duplicates: number): Step {
    if (this.#held.length === 0) return step(deliveries, duplicates);
    const joined = [...deliveries];
    let dropped = duplicates;
    for (let at = this.#joiningHeld(); at !== -1; at = this.#joiningHeld()) {
      const [batch] = this.#held.splice(at, 1) as [Batch];
      this.#heldItems -= batch.items.length;
      const taken = this.#take(batch, this.#position as Position);
      joined.push(...taken.delivery);
      dropped += taken.duplicates;
    }
    if (this.#held.length === 0) {
      this.#askedSince = undefined;
      return step(joined, dropped);
    }
    if (this.#askedSince !== undefined) return step(joined, dropped);
    this.#askedSince = this.#position;
    return { ...step(joined, dropped), next: 'askHistory' };
  }

  #joiningHeld(): number {
    const { offset } = this.#position as Position;
    return this.#held.findIndex(({ prev }) => prev <= offset);
  }

  #hold(batch: Batch): Step {
    this.#heldItems += batch.items.length;
    if (this.#heldItems > this.#holdItemsMax) return this.#resubscribe();
    this.#held.push(batch);
    return this.#join([], 0);
  }

  #resubscribe(): Step {
    this.interrupted();
    return { ...step([]), next: 'resubscribe' };
  }

  #dropHeld(): void {
    this.#held = [];
    this.#heldItems = 0;
    this.#askedSince = undefined;
    this.#fruitlessAsks = 0;
  }

  #rest(source: ItemSource, upTo = 0): void {
    this.#restSource = source;
    this.#restUpTo = upTo;
  }

  #delivery(source: ItemSource, items: readonly WireItem[]): Delivery {
    return deliveryOf(source, items, this.#position as Position);
  }
}

function deliveryOf(source: ItemSource, items: readonly WireItem[], position: Position): Delivery {
  return { source, items, position, resyncReason: undefined, startsState: false };
}

function stateDelivery(items: readonly WireItem[], position: Position, resyncReason?: string): Delivery {
  return { source: 'snapshot', items, position, resyncReason, startsState: true };
}

function step(deliveries: readonly Delivery[], duplicates = 0): Step {
  return { deliveries, next: 'nothing', duplicates };
}
