import { ProtocolError } from './errors.ts';
import { isTopic, isTopicOrPattern, type Key, parseKey, parseTopic, type Topic } from './topic.ts';

/**
 * What a subscription names, as one text: a topic; one key of a topic, `ticks.nasdaq#AAPL`; or a pattern of topics, `scores.epl.*`. A name is a filter of the
 * publications of its namespace: each name has a chain, a recent past and a state of its own, and the log is read with the same filter.
 */
export type FeedName = string & { readonly brand: 'Topic' | 'OneKey' | 'Pattern' };
/** A pattern of topics: `*` is one token, `>` at its end one or more. Its first token is the namespace. */
export type Pattern = string & { readonly brand: 'Pattern' };

/** Neither a topic nor a pattern contains it; a key may. */
export const KEY_MARK = '#';

/** A name, as the messages of the protocol write it. */
export interface FeedAddress {
  /** A topic or a pattern. */
  readonly topic: string;
  readonly key?: string;
}

/** Whether it is a pattern: a topic whose tokens, but the first, may be `*`, and whose last one may be `>`; one of them at least. */
export function isPattern(text: string): text is Pattern {
  return (text.includes('*') || text.endsWith('>')) && isTopicOrPattern(text);
}

/** The name of one key of a topic. */
export function oneKeyOf(topic: Topic, key: Key): FeedName {
  return `${topic}${KEY_MARK}${key}` as FeedName;
}

/**
 * What a client names.
 * @param key only of a topic, not of a pattern
 * @throws ProtocolError `bad_topic`, `bad_key`, `key_not_allowed`
 */
export function parseFeedName(text: string, key?: string): FeedName {
  if (isPattern(text)) {
    if (key !== undefined) throw new ProtocolError('key_not_allowed', `${text} is a pattern: it cannot have a key`);
    return text;
  }
  if (/[*>]/.test(text))
    throw new ProtocolError(
      'bad_topic',
      'a pattern is a topic with * instead of whole tokens after the first one, or > instead of its last tokens',
    );
  const topic = parseTopic(text);
  return key === undefined ? topic : oneKeyOf(topic, parseKey(key));
}

/** The parts of a name. */
export function addressOf(name: FeedName): FeedAddress {
  const mark = name.indexOf(KEY_MARK);
  return mark === -1 ? { topic: name } : { topic: name.slice(0, mark), key: name.slice(mark + 1) };
}

/** The key, if the name is one key of a topic. Also of a permission. */
export function keyOf(name: string): Key | undefined {
  const mark = name.indexOf(KEY_MARK);
  return mark === -1 ? undefined : (name.slice(mark + 1) as Key);
}

/** The topic or pattern of a name, without its key. */
export function topicOf(name: string): string {
  const mark = name.indexOf(KEY_MARK);
  return mark === -1 ? name : name.slice(0, mark);
}

/** Whether it names one topic as a whole. */
export function isWholeTopic(name: FeedName): name is Topic {
  return isTopic(name);
}
