import type { Topic } from '../protocol/topic.ts';
import type { Member } from './member.ts';

/** What a node tells the others of one of its topics. All of it may be applied twice without harm. */
export interface TopicChange {
  readonly topic: Topic;
  /** Of the node's connections: as it is now, and no difference. 0 and `counted`: the topic is gone. */
  readonly count: number;
  /** `counted`: no members are named, and those named before are void. `named`: `joined` and `left` say what changed. `renamed`: `joined` is all of them. */
  readonly kind: 'counted' | 'named' | 'renamed';
  readonly joined: readonly Member[];
  /** Ids. */
  readonly left: readonly string[];
}

export function counted(topic: Topic, count: number): TopicChange {
  return { topic, count, kind: 'counted', joined: [], left: [] };
}
