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
  /** Sequence of the first publication: one past the last one of the window before. */
  readonly firstSequence: number;
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

export function keyOf(feed: TopicFeed, sequence: number): number {
  return feed.keys === 0 ? 0 : sequence % feed.keys;
}
