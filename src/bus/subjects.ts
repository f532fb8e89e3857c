import type { NamespaceOptions } from '../config/schema.ts';
import { encodeKey, keyOfToken } from '../protocol/key-token.ts';
import { isTopic, type Key, TOPIC_TOKENS_MAX, type Topic } from '../protocol/topic.ts';
import type { Channel } from './bus.ts';

/** The only place that knows how topics and keys lie in NATS subjects. In a keyed namespace the last token is always the key. */

const FEED_PREFIX = 'feed.';

/** What of a namespace's options decides how its subjects are read. */
export type SubjectOptions = Pick<NamespaceOptions, 'keyed' | 'topicTokens'>;

/** What a subject is about. */
export interface Address {
  readonly topic: Topic;
  /** `null` in namespaces that are not keyed. */
  readonly key: Key | null;
}

/**
 * Why a producer's message is no publication: its subject has too few or too many tokens, or a token that breaks the grammar; or its `Stentor-Key`
 * header names another key than its subject.
 */
export type SubjectFault = 'wrong_depth' | 'bad_token' | 'key_mismatch';

/** `feed.<topic>`, or `feed.<topic>.<key>` with the key as its token. */
export function subjectOf(topic: Topic, key: Key | null): string {
  return key === null ? `${FEED_PREFIX}${topic}` : `${FEED_PREFIX}${topic}.${encodeKey(key)}`;
}

/** Covers every publication of the topic, and of no other topic. */
export function topicFilter(topic: Topic, keyed: boolean): string {
  return keyed ? `${FEED_PREFIX}${topic}.*` : `${FEED_PREFIX}${topic}`;
}

export function streamNameOf(namespace: string): string {
  return `stentor-${namespace}`;
}

/** What a durable namespace's stream captures. */
export function streamSubjectsOf(namespace: string): string[] {
  return [`${FEED_PREFIX}${namespace}`, `${FEED_PREFIX}${namespace}.>`];
}

/** On which nodes tell each other something. */
export function channelSubjectOf(channel: Channel): string {
  return `stentor.${channel}`;
}

export function rpcSubjectOf(method: string): string {
  return `rpc.${method}`;
}

/** What a subject is about, or what is wrong with it. */
export function parseSubject(subject: string, options: SubjectOptions): Address | Exclude<SubjectFault, 'key_mismatch'> {
  if (!subject.startsWith(FEED_PREFIX)) return 'bad_token';
  const name = subject.slice(FEED_PREFIX.length);
  const { least, most } = depthsOf(options);
  const depth = tokenCount(name);
  if (depth < least || depth > most) return 'wrong_depth';
  const end = options.keyed ? name.lastIndexOf('.') : name.length;
  const topic = name.slice(0, end);
  const key = options.keyed ? keyOfToken(name.slice(end + 1)) : null;
  return isTopic(topic) && key !== undefined ? { topic, key } : 'bad_token';
}

/** Filters that cover the namespace's subjects of a wrong depth, and no others: nobody need look at the good ones. */
export function wrongDepthFilters(namespace: string, options: SubjectOptions): string[] {
  const { least, most } = depthsOf(options);
  const tooShort = Array.from({ length: least - 1 }, (_, i) => `${FEED_PREFIX}${namespace}${'.*'.repeat(i)}`);
  return [...tooShort, `${FEED_PREFIX}${namespace}${'.*'.repeat(most - 1)}.>`];
}

/** How many tokens follow `feed.`: the topic's, and the key's. */
function depthsOf({ keyed, topicTokens }: SubjectOptions): { readonly least: number; readonly most: number } {
  const keyTokens = keyed ? 1 : 0;
  const anyDepth = topicTokens === 0;
  return { least: (anyDepth ? 1 : topicTokens) + keyTokens, most: (anyDepth ? TOPIC_TOKENS_MAX : topicTokens) + keyTokens };
}

function tokenCount(name: string): number {
  let count = 1;
  for (let at = name.indexOf('.'); at !== -1; at = name.indexOf('.', at + 1)) count++;
  return count;
}
