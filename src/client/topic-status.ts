import type { Stale } from '../protocol/messages.ts';
import type { Emitter } from './emitter.ts';
import { type Feed, LIVE } from './state.ts';
import type { SubscriptionEvents } from './subscription.ts';
import type { Liveness, SubscriptionHost } from './topic-types.ts';

type Events = Pick<Emitter<SubscriptionEvents<never>>, 'emit'>;

/** Whether new publications of a topic reach this client, and whether its producer is heard of. Each change is emitted once. */
export class TopicStatus {
  liveness: Liveness = { live: false, reason: undefined };
  stale: Stale | undefined;
  /** What the server reported about this topic only. A stream that begins is live unless the server says otherwise. */
  feed: Feed = LIVE;
  readonly #events: Events;
  readonly #connection: SubscriptionHost['connection'];

  constructor(events: Events, connection: SubscriptionHost['connection']) {
    this.#events = events;
    this.#connection = connection;
  }

  setStale(stale: Stale | undefined): void {
    if (stale?.reason === this.stale?.reason) return;
    this.stale = stale && { sinceMs: stale.sinceMs, reason: stale.reason };
    this.#events.emit('stale', this.stale);
  }

  /** @param isBegun all of the state, or of what was missed, has been delivered, and the stream goes on */
  tellLiveness(isBegun: boolean): void {
    const { isConnected, feed } = this.#connection;
    const live = isConnected && isBegun && feed.live && this.feed.live;
    const reason = live ? undefined : (feed.reason ?? this.feed.reason);
    if (live === this.liveness.live && reason === this.liveness.reason) return;
    this.liveness = { live, reason };
    this.#events.emit('live', this.liveness);
  }
}
