import type { Position, ServerMessage, Item as WireItem } from '../protocol/messages.ts';

/** Where an item came from: the stream; what was missed and brought back; or the topic's state, which starts or restarts the stream. */
export type ItemSource = 'live' | 'recovered' | 'snapshot';

export interface Delivery {
  readonly source: ItemSource;
  readonly items: readonly WireItem[];
  /** The position once the last item has been handed over. */
  readonly position: Position;
  /** The position before it is void: what the application made of the items so far no longer follows from the log. */
  readonly resyncReason: string | undefined;
  /** The topic's state begins with it; what was known of the state before is void. */
  readonly startsState: boolean;
}

/** What to do after a message: first hand these over, in this order, then `next`. */
export interface Step {
  readonly deliveries: readonly Delivery[];
  /** `askHistory`: send `history` since {@link PositionTracker.position}; `resubscribe`: send `subscribe` since it. */
  readonly next: 'nothing' | 'askHistory' | 'resubscribe';
  /** Items dropped because they had been delivered. */
  readonly duplicates: number;
}

type HistoryPart = Pick<ServerMessage<'history'>, 'epoch' | 'offset' | 'complete' | 'continues' | 'items'>;
type Batch = Pick<ServerMessage<'batch'>, 'epoch' | 'prev' | 'items'>;

/** Answers in a row that may bring nothing new before the log is no longer asked, but the topic subscribed anew. */
const FRUITLESS_ASKS_MAX = 3;

/**
 * One subscription's place in its topic, and the rule that keeps the promise: `prev == last` deliver; `prev < last` drop what was had; `prev > last` hold, ask
 * for what lies between, deliver in order; a new epoch only through a resync. Batches that wait are bounded; past the bound, the topic is subscribed anew
 * since the last position, so that the server brings everything or says that it cannot. No sockets, no clock.
 */
export class PositionTracker {
  readonly #holdItemsMax: number;
  #position: Position | undefined;
  #held: Batch[] = [];
  #heldItems = 0;
  #asking = false;
  #fruitlessAsks = 0;
  /** Batches up to here bring the rest of what was missed, or of the state. */
  #restUpTo = 0;
  #restSource: ItemSource = 'recovered';
  /** No stream yet: only the answer to `subscribe` counts, since what else may come was sent before it. */
  #awaiting = true;

  /** @param since where to resume from, when the application kept a position */
  constructor(holdItemsMax: number, since: Position | undefined) {
    this.#holdItemsMax = holdItemsMax;
    this.#position = since;
  }

  /** What to resume from. Undefined before the first answer, and always in ephemeral topics: there are no positions there. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** No stream yet, or none any more. */
  get isAwaiting(): boolean {
    return this.#awaiting;
  }

  get heldItems(): number {
    return this.#heldItems;
  }

  /** The connection is gone, or `subscribe` has been sent again. */
  interrupted(): void {
    this.#awaiting = true;
    this.#restUpTo = 0;
    this.#dropHeld();
  }

  /** @param since what that `subscribe` asked for */
  subscribed(
    { epoch, offset, recovered, items, upTo }: Omit<ServerMessage<'subscribed'>, 'type' | 'id' | 'topic'>,
    since: Position | undefined,
  ): Step {
    this.#awaiting = false;
    this.#dropHeld();
    if (epoch === '') {
      this.#position = undefined;
      return step([{ source: 'snapshot', items, position: { epoch, offset: 0 }, resyncReason: undefined, startsState: true }]);
    }
    const last = this.#position;
    // Also in another epoch: one that goes on from the life that the position is of.
    if (since !== undefined && recovered && last !== undefined) {
      const fresh = items.filter(([itemOffset]) => itemOffset > last.offset);
      this.#position = { epoch, offset: Math.max(last.offset, offset) };
      this.#rest('recovered', upTo);
      return step([this.#delivery('recovered', fresh)], items.length - fresh.length);
    }
    this.#position = { epoch, offset };
    this.#rest('snapshot', upTo);
    return step([this.#stateDelivery(items, since === undefined ? undefined : 'what was missed cannot be recovered')]);
  }

  batch(batch: Batch): Step {
    if (this.#awaiting) return step([]);
    const last = this.#position;
    if (last === undefined) {
      const position = { epoch: '', offset: 0 };
      return step([{ source: 'live', items: batch.items, position, resyncReason: undefined, startsState: false }]);
    }
    if (batch.epoch !== last.epoch) return this.#resubscribe([], 0);
    if (batch.prev > last.offset) return this.#hold(batch);
    const { delivery, duplicates } = this.#take(batch, last);
    return this.#join(delivery, duplicates);
  }

  /** The answer to `history` since {@link position}, or a part of it: each counts by itself. */
  history({ epoch, offset, complete, continues, items }: HistoryPart): Step {
    const last = this.#position;
    if (!this.#asking || last === undefined) return step([]);
    this.#asking = continues === true;
    if (epoch !== last.epoch || !complete) return this.#resubscribe([], 0);
    this.#fruitlessAsks = offset > last.offset ? 0 : this.#fruitlessAsks + 1;
    if (this.#fruitlessAsks >= FRUITLESS_ASKS_MAX) return this.#resubscribe([], 0);
    const fresh = items.filter(([itemOffset]) => itemOffset > last.offset);
    this.#position = { epoch, offset: Math.max(last.offset, offset) };
    return this.#join([this.#delivery('recovered', fresh)], items.length - fresh.length);
  }

  /** The log could not be asked. */
  historyFailed(): Step {
    if (!this.#asking) return step([]);
    return this.#resubscribe([], 0);
  }

  resync({ epoch, offset, reason, items, upTo }: Omit<ServerMessage<'resync'>, 'type' | 'topic'>): Step {
    if (this.#awaiting) return step([]);
    this.#dropHeld();
    this.#position = { epoch, offset };
    this.#rest('snapshot', upTo);
    return step([this.#stateDelivery(items, reason)]);
  }

  /** By policy `skip`: what lies up to `offset` is not coming. */
  skippedTo(offset: number): Step {
    const last = this.#position;
    if (this.#awaiting || last === undefined || offset <= last.offset) return step([]);
    this.#position = { epoch: last.epoch, offset };
    return this.#join([], 0);
  }

  /** What of a batch that begins at or before `last` is new. */
  #take(batch: Batch, last: Position): { delivery: Delivery[]; duplicates: number } {
    const end = batch.items.at(-1)?.[0] ?? batch.prev;
    // The usual case, without a copy.
    const items = batch.prev === last.offset ? batch.items : batch.items.filter(([offset]) => offset > last.offset);
    const duplicates = batch.items.length - items.length;
    const delivery = last.offset < this.#restUpTo ? this.#takeRest(items, last.epoch) : [];
    const live = delivery.length === 0 ? items : items.slice(delivery[0]?.items.length);
    if (end > last.offset) this.#position = { epoch: last.epoch, offset: end };
    if (live.length > 0) delivery.push(this.#delivery('live', live));
    return { delivery, duplicates };
  }

  /** What of a batch still belongs to what was missed, or to the state: it may go on beyond. */
  #takeRest(items: readonly WireItem[], epoch: string): Delivery[] {
    const rest = items.filter(([offset]) => offset <= this.#restUpTo);
    const end = rest.at(-1)?.[0];
    if (end === undefined) return [];
    this.#position = { epoch, offset: end };
    return [this.#delivery(this.#restSource, rest)];
  }

  /** Lets held batches follow, as far as they now join on. */
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
      this.#asking = false;
      return step(joined, dropped);
    }
    if (this.#asking) return step(joined, dropped);
    this.#asking = true;
    return { deliveries: joined, next: 'askHistory', duplicates: dropped };
  }

  #joiningHeld(): number {
    const { offset } = this.#position as Position;
    return this.#held.findIndex(({ prev }) => prev <= offset);
  }

  #hold(batch: Batch): Step {
    this.#heldItems += batch.items.length;
    if (this.#heldItems > this.#holdItemsMax) return this.#resubscribe([], 0);
    this.#held.push(batch);
    return this.#join([], 0);
  }

  #resubscribe(deliveries: readonly Delivery[], duplicates: number): Step {
    this.interrupted();
    return { deliveries, next: 'resubscribe', duplicates };
  }

  #dropHeld(): void {
    this.#held = [];
    this.#heldItems = 0;
    this.#asking = false;
    this.#fruitlessAsks = 0;
  }

  #rest(source: ItemSource, upTo = 0): void {
    this.#restSource = source;
    this.#restUpTo = upTo;
  }

  #delivery(source: ItemSource, items: readonly WireItem[]): Delivery {
    return { source, items, position: this.#position as Position, resyncReason: undefined, startsState: false };
  }

  #stateDelivery(items: readonly WireItem[], resyncReason: string | undefined): Delivery {
    return { ...this.#delivery('snapshot', items), resyncReason, startsState: true };
  }
}

function step(deliveries: readonly Delivery[], duplicates = 0): Step {
  return { deliveries, next: 'nothing', duplicates };
}
