import type { NamespaceOptions } from '../config/schema.ts';
import { type FeedName, isPattern, keyOf, topicOf } from '../protocol/feed-name.ts';
import { hasDocuments, type StateOptions } from '../protocol/feed-state.ts';
import { encodeKey, keyOfToken } from '../protocol/key-token.ts';
import { isTopic, type Key, TOPIC_TOKENS_MAX, type Topic } from '../protocol/topic.ts';
import { USER_NAMESPACE } from '../protocol/user-topic.ts';
import type { Channel, RequestAddress } from './channel.ts';

/** The only module that maps topics and keys to NATS subjects. In a keyed namespace the last token is always the key. */

const FEED_PREFIX = 'feed.';
const IMAGE_PREFIX = 'image.';
const REQUEST_PREFIX = 'stentor.';

/** The options of a namespace that determine its subjects. */
export type SubjectOptions = StateOptions & Pick<NamespaceOptions, 'topicTokens'>;

/** The topic and key of a subject. */
export interface Address {
  readonly topic: Topic;
  /** `null` in namespaces that are not keyed. */
  readonly key: Key | null;
}

/**
 * Why a producer's message is not a valid publication: its subject has too few or too many tokens, or a token outside the grammar; or its `Stentor-Key` header
 * names another key than its subject.
 */
export type SubjectFault = 'wrong_depth' | 'bad_token' | 'key_mismatch';

/** `feed.<topic>`, or `feed.<topic>.<key>` with the key as its token. */
export function subjectOf(topic: Topic, key: Key | null): string {
  return key === null ? `${FEED_PREFIX}${topic}` : `${FEED_PREFIX}${topic}.${encodeKey(key)}`;
}

/** Matches every publication that the name means, and no other. */
export function filterOf(name: FeedName, { state, topicTokens }: SubjectOptions): string {
  const key = keyOf(name);
  if (key !== undefined) return subjectOf(topicOf(name) as Topic, key);
  // With a fixed number of tokens `>` means so many: the key is not one of them.
  if (topicTokens > 0 && name.endsWith('.>')) {
    const missing = topicTokens + 1 - tokenCount(name);
    return `${FEED_PREFIX}${name.slice(0, -2)}${'.*'.repeat(missing + (state === 'keyed' ? 1 : 0))}`;
  }
  return state === 'keyed' ? `${FEED_PREFIX}${name}.*` : `${FEED_PREFIX}${name}`;
}

/** Whether the filter of the name matches one subject only: there, while a publication is kept, nothing after it has been removed. */
export function hasOneSubject(name: FeedName, { state }: Pick<SubjectOptions, 'state'>): boolean {
  return (state !== 'keyed' && !isPattern(name)) || keyOf(name) !== undefined;
}

export function streamNameOf(namespace: string): string {
  return `stentor-${namespace}`;
}

/** The subjects that a durable namespace's stream stores. */
export function streamSubjectsOf(namespace: string, options: StateOptions): string[] {
  const prefixes = hasDocuments(options) ? [FEED_PREFIX, IMAGE_PREFIX] : [FEED_PREFIX];
  return prefixes.flatMap((prefix) => [`${prefix}${namespace}`, `${prefix}${namespace}.>`]);
}

/** Where the images of a keyed topic are: what says which parts one has. No number, so it is none of the parts. */
const IMAGE_HEAD = 'head';

/** Of the images of a topic's document; in a keyed namespace, where the last token is never one of the topic, of what names their parts. */
export function imageSubjectOf(topic: Topic, { patch }: StateOptions): string {
  return patch ? `${IMAGE_PREFIX}${topic}.${IMAGE_HEAD}` : `${IMAGE_PREFIX}${topic}`;
}

/** Of one part of the images of a keyed topic. */
export function imagePartSubjectOf(topic: Topic, part: number): string {
  return `${IMAGE_PREFIX}${topic}.${part}`;
}

export function isImageSubject(subject: string): boolean {
  return subject.startsWith(IMAGE_PREFIX);
}

/** The topic of an image; undefined: it is none, or a part of one. */
export function imageTopicOf(subject: string, { patch }: StateOptions): Topic | undefined {
  const name = isImageSubject(subject) ? subject.slice(IMAGE_PREFIX.length) : '';
  if (patch && !name.endsWith(`.${IMAGE_HEAD}`)) return undefined;
  const topic = patch ? name.slice(0, -IMAGE_HEAD.length - 1) : name;
  return isTopic(topic) ? topic : undefined;
}

/** The subject of a channel between nodes. */
export function channelSubjectOf(channel: Channel): string {
  return `stentor.${channel}`;
}

/** The subject of what servers ask of nodes. */
export function requestSubjectOf(address: RequestAddress): string {
  return `${REQUEST_PREFIX}${address}`;
}

/** @param subject of a request */
export function requestAddressOf(subject: string): RequestAddress {
  return subject.slice(REQUEST_PREFIX.length) as RequestAddress;
}

/** Of each user: the topic that is the user's own, and the channel of the nodes that have connections of the user. */
export const USER_TOPICS = `${FEED_PREFIX}${USER_NAMESPACE}.*`;
export const USER_CHANNELS = channelSubjectOf('users.*');

/** Followed by the topic: its producer is there. */
export const HEARTBEAT_PREFIX = 'beat.';

/** The heartbeats of all topics of a namespace. */
export function heartbeatSubjectsOf(namespace: string): string[] {
  return [`${HEARTBEAT_PREFIX}${namespace}`, `${HEARTBEAT_PREFIX}${namespace}.>`];
}

export function rpcSubjectOf(method: string): string {
  return `rpc.${method}`;
}

/** The topic and key of a subject, or what is wrong with it. */
export function parseSubject(subject: string, options: SubjectOptions): Address | Exclude<SubjectFault, 'key_mismatch'> {
  if (!subject.startsWith(FEED_PREFIX)) return 'bad_token';
  const name = subject.slice(FEED_PREFIX.length);
  const { least, most } = depthsOf(options);
  const depth = tokenCount(name);
  if (depth < least || depth > most) return 'wrong_depth';
  const end = options.state === 'keyed' ? name.lastIndexOf('.') : name.length;
  const topic = name.slice(0, end);
  const key = options.state === 'keyed' ? keyOfToken(name.slice(end + 1)) : null;
  return isTopic(topic) && key !== undefined ? { topic, key } : 'bad_token';
}

/** Filters that match the namespace's subjects of a wrong depth, and no others, so that valid ones need not be read. */
export function wrongDepthFilters(namespace: string, options: SubjectOptions): string[] {
  const { least, most } = depthsOf(options);
  const tooShort = Array.from({ length: least - 1 }, (_, i) => `${FEED_PREFIX}${namespace}${'.*'.repeat(i)}`);
  return [...tooShort, `${FEED_PREFIX}${namespace}${'.*'.repeat(most - 1)}.>`];
}

/** How many tokens follow `feed.`: those of the topic, and the key. */
function depthsOf({ state, topicTokens }: SubjectOptions): { readonly least: number; readonly most: number } {
  const keyTokens = state === 'keyed' ? 1 : 0;
  const anyDepth = topicTokens === 0;
  return { least: (anyDepth ? 1 : topicTokens) + keyTokens, most: (anyDepth ? TOPIC_TOKENS_MAX : topicTokens) + keyTokens };
}

function tokenCount(name: string): number {
  let count = 1;
  for (let at = name.indexOf('.'); at !== -1; at = name.indexOf('.', at + 1)) count++;
  return count;
}
