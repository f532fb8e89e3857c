import type { Topic } from '../protocol/topic.ts';
import type { Member } from './member.ts';

/** A change of one topic of a node, for the other nodes. Idempotent. */
export interface TopicChange {
  readonly topic: Topic;
  /** Current number of connections on the node, not a difference. 0 with `counted`: the topic is gone. */
  readonly count: number;
  /** `counted`: members are not named, and earlier names are invalid. `named`: `joined` and `left` are the changes. `renamed`: `joined` is the full list. */
  readonly kind: 'counted' | 'named' | 'renamed';
  readonly joined: readonly Member[];
  /** Ids. */
  readonly left: readonly string[];
}

export function counted(topic: Topic, count: number): TopicChange {
  return { topic, count, kind: 'counted', joined: [], left: [] };
}
