/** What is published in one window: every server under test gets the same plan. */
export interface FeedPlan {
  readonly topics: readonly TopicFeed[];
  /** On the machine's monotonic clock; a little ahead, so that the first publication is not late already. */
  readonly startAtUs: number;
  readonly durationMs: number;
  readonly payloadBytes: number;
}

export interface TopicFeed {
  readonly topic: string;
  readonly ratePerSecond: number;
  /** Publications that are due at the same instant; the average rate stays. */
  readonly burst: number;
  /** Keys that publications rotate over; 0: the topic is not keyed. */
  readonly keys: number;
  /** Of its publications, if not the plan's. */
  readonly payloadBytes?: number;
  /** Sequence of the first publication: one past the last one of the window before. */
  readonly firstSequence: number;
  /** So many topics, `<topic>0`, `<topic>1`, …, that publications rotate over; each then has sequences of its own, and the stamp's key is its number. */
  readonly rotateOver?: number;
}

export interface FeedResult {
  /** Publications by topic. */
  readonly published: Record<string, number>;
  /** How late the latest publication was handed over, behind its schedule. */
  readonly latenessMaxUs: number;
}

export function publicationsIn(feed: TopicFeed, durationMs: number): number {
  const bursts = Math.max(1, Math.round((feed.ratePerSecond * durationMs) / 1000 / feed.burst));
  return bursts * feed.burst;
}

/** When the window's `index`-th publication is due. */
export function dueAtUs(feed: TopicFeed, startAtUs: number, index: number): number {
  const burstIndex = Math.floor(index / feed.burst);
  return startAtUs + (burstIndex * feed.burst * 1e6) / feed.ratePerSecond;
}

/** How many of the window's publications are due by now. */
export function dueCount(feed: TopicFeed, startAtUs: number, durationMs: number, nowUs: number): number {
  if (nowUs < startAtUs) return 0;
  const bursts = Math.floor(((nowUs - startAtUs) * feed.ratePerSecond) / (feed.burst * 1e6)) + 1;
  return Math.min(bursts * feed.burst, publicationsIn(feed, durationMs));
}

/** Topic, stamp and key of the feed's publication number `sequence`. */
export function publicationOf(
  feed: TopicFeed,
  sequence: number,
): { topic: string; stampKey: number; stampSequence: number; key: string | null } {
  if (feed.rotateOver !== undefined) {
    const number = sequence % feed.rotateOver;
    return { topic: `${feed.topic}${number}`, stampKey: number, stampSequence: Math.floor(sequence / feed.rotateOver), key: null };
  }
  const stampKey = keyOf(feed, sequence);
  return { topic: feed.topic, stampKey, stampSequence: sequence, key: feed.keys === 0 ? null : `k${stampKey}` };
}

export function keyOf(feed: TopicFeed, sequence: number): number {
  return feed.keys === 0 ? 0 : sequence % feed.keys;
}
