import type { Position, Item as WireItem } from '../protocol/messages.ts';
import { type Item, toItem } from './item.ts';
import type { Delivery } from './position-tracker.ts';
import type { Subscription } from './subscription.ts';
import { TopicState } from './topic-state.ts';
import type { SubscriptionHost } from './topic-types.ts';

/** Gives a subscription's items to its listeners, each with the document after it, and keeps what has been reached by them: position, documents and state. */
export class Deliverer<T> {
  /** Everything up to here has been delivered. */
  position: Position | undefined;
  /** Only a stream that begins with the state knows the whole state. */
  readonly state: TopicState<T> | undefined;
  readonly #to: Pick<Subscription<T>, 'name' | 'options' | 'events' | 'isEnded'>;
  readonly #counters: SubscriptionHost['counters'];
  /** By key: the item with the document, or the value, as it is now. */
  readonly folded = new Map<string | null, Item<T>>();
  /** By key: the offset of its last item, until the position has reached the last of them. A node that is behind may give a part of that again. */
  readonly #ahead = new Map<string | null, number>();
  #aheadUpTo = 0;

  constructor(to: Pick<Subscription<T>, 'name' | 'options' | 'events' | 'isEnded'>, { counters, settings }: SubscriptionHost) {
    this.#to = to;
    this.#counters = counters;
    this.position = to.options.since;
    this.state = to.options.snapshot ? new TopicState(settings.stateKeysMax) : undefined;
  }

  /** Stops where a listener ends the subscription. */
  deliver({ source, items, position, resyncReason, startsState }: Delivery): void {
    const to = this.#to;
    const counters = this.#counters;
    const { epoch, offset } = position;
    if (startsState) {
      this.state?.restart();
      this.folded.clear();
      this.#ahead.clear();
      this.#aheadUpTo = 0;
    }
    const all = items.map((wireItem) => this.#fold(toItem<T>(to.name, epoch, wireItem, source)));
    if (offset >= this.#aheadUpTo) this.#ahead.clear();
    if (resyncReason !== undefined) {
      counters.resyncs++;
      const state = all.filter((item) => item !== undefined);
      to.events.emit('resync', { topic: to.name, reason: resyncReason, epoch, offset, items: state });
    }
    for (const [at, item] of all.entries()) {
      if (to.isEnded) return;
      // Within a snapshot, an item's offset is not a position to resume from.
      if (source !== 'snapshot' && epoch !== '') this.position = { epoch, offset: (items[at] as WireItem)[0] };
      if (item === undefined) continue;
      counters.items++;
      if (source !== 'live') counters[source]++;
      this.state?.apply(item);
      to.events.emit('item', item);
    }
    if (!to.isEnded && epoch !== '') this.position = position;
  }

  #fold(item: Item<T> | undefined): Item<T> | undefined {
    const { fold } = this.#to.options;
    if (item === undefined || fold === undefined) return item;
    const { key } = item;
    // Ephemeral topics have no offsets.
    if (item.offset > 0 && item.offset <= (this.#ahead.get(key) ?? 0)) return undefined;
    this.#ahead.set(key, item.offset);
    this.#aheadUpTo = Math.max(this.#aheadUpTo, item.offset);
    const folded = fold(this.folded.get(key), item) as Item<T>;
    if (item.removed) this.folded.delete(key);
    else this.folded.set(key, folded);
    return folded;
  }
}
