/** `@stentor-broadcast/client/document`: topics whose state is a document, or whose values come as changes. It has its own entry, because most pages have none. */
import { applyPair } from '../document/merge-patch.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { joinBytes } from './bytes.ts';
import { decodeMessages } from './codec.ts';
import type { Fold, Join, TopicOptions } from './topic-types.ts';

export type { PatchPair } from '../document/merge-patch.ts';
export { applyPair, applyPatch } from '../document/merge-patch.ts';

/** Of one subscription: a part with number 1 begins anew, so what a lost connection has left is dropped. */
function newJoin(): Join {
  let pieces: Uint8Array[] = [];
  return ({ part, parts, data }) => {
    if (part === 1) pieces = [];
    pieces.push(data as Uint8Array);
    if (part < parts || pieces.length < parts) return undefined;
    const frame = joinBytes(pieces);
    pieces = [];
    return decodeMessages<ServerMessage<'batch'>>(frame)[0] as ServerMessage<'batch'>;
  };
}

/** A document needs all of its changes, from the whole on. */
export type DocumentOptions<T> = Omit<TopicOptions<T>, 'snapshot' | 'since' | 'echo' | 'fold' | 'join' | 'filter'>;

/** Of a document, or of the value of a key. One function, so that topics with the same name can share their subscription. */
const fold: Fold = (before, item) => {
  if (item.patch === undefined) return item;
  return { ...item, data: applyPair(before?.data, item.patch) };
};

/**
 * The options of a topic whose state is a document: `client.topic<Book>('books.btc', documentOptions())`, or a document for each key. The `data` of each item is
 * then the document after it, and `patch` is what changed. `topic.document` is the document as it is now, `topic.documentOf(key)` that of a key. Documents are never changed: a change makes another one, which shares what has not
 * changed, so `===` on a part of it tells whether that part is the same.
 */
export function documentOptions<T>(options: DocumentOptions<T> = {}): TopicOptions<T> {
  return { ...options, snapshot: true, fold, join: newJoin };
}

/**
 * The options of a topic whose values are large and change little: `client.topic<Match>('scores.epl.match-42', deltaOptions())`. Where the namespace has
 * `delta: fields`, the server sends what changed, and the `data` of each item is the whole value all the same; `patch` is what changed. The last value of every
 * key is kept. Values are never changed, as documents.
 */
export function deltaOptions<T>(options: DocumentOptions<T> = {}): TopicOptions<T> {
  return documentOptions(options);
}
