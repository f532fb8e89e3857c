import { type Flush, framesFor } from '../fanout/flush.ts';
import type { Shard } from '../fanout/shard.ts';
import type { Variant } from '../fanout/variant.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Position } from '../recent/position.ts';
import { membersOf } from './memberships.ts';
import type { Receiver } from './receiver.ts';
import type { Unsent } from './subscription.ts';

/** What one member is to get of a topic, frame by frame. */
export interface Given {
  readonly variant: Variant;
  /** Of the feed. */
  readonly life: number;
  /** What it has. */
  readonly from: Position;
  /** What it has after the frames. */
  readonly to: Position;
  readonly flush: Flush;
}

type GivenByTopic = Map<FeedName, Given>;

/**
 * Flushes of large items that members get frame by frame, until they have left their shards for that: in the same loop turn, because no topic may be left while it
 * is flushed. So there is one for each shard at most.
 */
export class GivenFlushes {
  readonly #waiting = new Map<Receiver, GivenByTopic>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(shard: Shard, flush: Flush): void {
    const { variant, from, fromOffset, to, offset } = flush;
    const { feed } = variant;
    const given = {
      variant,
      life: feed.life,
      from: { sequence: from, offset: fromOffset },
      to: { sequence: to, offset },
      flush,
    };
    for (const receiver of membersOf(shard)) {
      const topics: GivenByTopic = this.#waiting.get(receiver) ?? new Map();
      this.#waiting.set(receiver, topics.set(feed.topic, given));
    }
  }

  /** What a member of the shard is being given. */
  of(receiver: Receiver, { variant }: Shard): Given | undefined {
    const given = this.#waiting.get(receiver)?.get(variant.feed.topic);
    return given?.variant === variant ? given : undefined;
  }

  all(): Iterable<readonly [Receiver, ReadonlyMap<FeedName, Given>]> {
    return this.#waiting;
  }

  clear(): void {
    this.#waiting.clear();
  }

  forget(receiver: Receiver): void {
    this.#waiting.delete(receiver);
  }
}

/** Its frames for one of the members. */
export function unsentOf(receiver: Receiver, { flush, from, to }: Given): Unsent {
  const frames = flush.parts
    .flatMap((part) => framesFor(part, receiver))
    .map(({ bytes, prev = from.offset, offset = prev }) => ({ bytes, prev, offset }));
  return { frames, items: flush.sent.items, sent: 0, after: to };
}
