/** What one topic's log held during one life, as the store or the producers' acknowledgements tell it: offsets rise. */
export interface TopicLog {
  readonly offsets: readonly number[];
  readonly ids: readonly number[];
}

/** One life of the log: what clients of this epoch may be given. */
export interface Life {
  readonly epoch: string;
  readonly topics: Readonly<Record<string, TopicLog>>;
}

/** A publication as its producer knows it. Ids are a producer's own, no two alike in a run. */
export interface Acknowledged {
  readonly topic: string;
  readonly id: number;
  readonly offset: number;
}

/** A publication as it lies in the store. */
export type Stored = Acknowledged;

/** Counts of what must not happen, and of what may happen only with a word to the client. */
export interface Verdict {
  /** Never came, and nothing was said about them. */
  readonly lost: number;
  /** Ranges of lost publications that later ones followed. */
  readonly gaps: number;
  readonly duplicates: number;
  readonly reordered: number;
  /** Were given to the client, but are not in its log at that offset: two histories merged, or a damaged payload. */
  readonly foreign: number;
  /** Snapshots that are not the topic's latest publication at their offset. */
  readonly wrongSnapshots: number;
  /** Left out with a word to the client: a snapshot, a resync or a skip stands for them. */
  readonly declared: number;
  /** Resyncs, recoveries refused and skips: how often the client was told so. */
  readonly declarations: number;
  /** Given to clients, in all. */
  readonly delivered: number;
}

export const NO_FAULTS: Verdict = {
  lost: 0,
  gaps: 0,
  duplicates: 0,
  reordered: 0,
  foreign: 0,
  wrongSnapshots: 0,
  declared: 0,
  declarations: 0,
  delivered: 0,
};

export function addVerdicts(verdicts: readonly Verdict[]): Verdict {
  const sum: Record<string, number> = { ...NO_FAULTS };
  for (const verdict of verdicts) for (const [name, count] of Object.entries(verdict)) sum[name] = (sum[name] ?? 0) + count;
  return sum as unknown as Verdict;
}

/** Builds a life from what lies in a store. */
export function lifeOf(epoch: string, stored: readonly Stored[]): Life {
  const topics: Record<string, { offsets: number[]; ids: number[] }> = {};
  for (const { topic, id, offset } of [...stored].sort((a, b) => a.offset - b.offset)) {
    topics[topic] ??= { offsets: [], ids: [] };
    topics[topic].offsets.push(offset);
    topics[topic].ids.push(id);
  }
  return { epoch, topics };
}
