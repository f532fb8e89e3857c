import { isKey, isTopic, type Key, type Topic } from '../protocol/topic.ts';

/** The only place that knows how topics and keys lie in NATS subjects. In a keyed namespace the last token is always the key. */

const FEED_PREFIX = 'feed.';

/** What a subject is about. */
export interface Address {
  readonly topic: Topic;
  /** `null` in namespaces that are not keyed. */
  readonly key: Key | null;
}

/** `feed.<topic>`, or `feed.<topic>.<key>`. */
export function subjectOf(topic: Topic, key: Key | null): string {
  return key === null ? `${FEED_PREFIX}${topic}` : `${FEED_PREFIX}${topic}.${key}`;
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

/** On which nodes tell each other how they are. */
export const NODES_SUBJECT = 'stentor.nodes';

export function rpcSubjectOf(method: string): string {
  return `rpc.${method}`;
}

/** @returns undefined when a producer used a subject that is no topic (with a key, in a keyed namespace): it is counted and skipped */
export function parseSubject(subject: string, keyed: boolean): Address | undefined {
  if (!subject.startsWith(FEED_PREFIX)) return undefined;
  const name = subject.slice(FEED_PREFIX.length);
  if (!keyed) return isTopic(name) ? { topic: name, key: null } : undefined;
  const dot = name.lastIndexOf('.');
  if (dot === -1) return undefined;
  const topic = name.slice(0, dot);
  const key = name.slice(dot + 1);
  return isTopic(topic) && isKey(key) ? { topic, key } : undefined;
}
