import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Since } from '../recent/lives.ts';

/** What a message covers of its topic. */
export interface Moved {
  readonly topic: FeedName;
  readonly epoch: string;
  /** The topic's offset just before it; 0: it begins anew. */
  readonly prev: number;
  /** The topic's offset after it. */
  readonly offset: number;
}

/** Undefined for ephemeral topics, which have no positions. */
export function movedTo(
  { topic, epoch, namespace }: Pick<TopicFeed, 'topic' | 'epoch' | 'namespace'>,
  { prev, offset }: Pick<Moved, 'prev' | 'offset'>,
): Moved | undefined {
  return namespace.durable ? { topic, epoch, prev, offset } : undefined;
}

/** Of the form, not of the protocol: a node that reads another version starts from the state. */
const VERSION = '1';

/**
 * The positions of a stream of events, as the text that its events have as `id`. The text belongs to the topics of the stream, in their order: each has its
 * offset in base 36, and the epochs are named once. So it has at most 12 characters for a topic, and 192 for each different epoch.
 *
 * `1;<hash of the topics>;<epoch>,…;[<number of the epoch>:]<offset>,…`
 */
export class StreamPositions {
  readonly #indexes = new Map<string, number>();
  readonly #hash: string;
  readonly #positions: (Since | undefined)[];
  /** Of each topic, as it is in the text. */
  readonly #parts: string[];
  #epochs: string[] = [];
  #head = '';

  /** @param since where each topic continues; undefined: nothing is known of it */
  constructor(topics: readonly string[], since: readonly (Since | undefined)[]) {
    for (const [index, topic] of topics.entries()) this.#indexes.set(topic, index);
    this.#hash = hashOf(topics);
    this.#positions = topics.map((_, index) => since[index]);
    this.#parts = topics.map(() => '');
    for (const [index, position] of this.#positions.entries()) if (position !== undefined) this.#set(index, position);
    this.#writeHead();
  }

  /** Its position; undefined: it has none. */
  of(topic: string): Since | undefined {
    return this.#positions[this.#indexes.get(topic) ?? -1];
  }

  /** Whether something of the topic would be missing if the peer got this now. */
  leavesGap({ topic, epoch, prev }: Moved): boolean {
    const position = this.of(topic);
    return position !== undefined && prev > 0 && (prev > position.offset || epoch !== position.epoch);
  }

  /** The peer is about to get this. @returns the id of its event */
  move({ topic, epoch, offset }: Moved): string {
    const index = this.#indexes.get(topic);
    if (index !== undefined) this.#set(index, { epoch, offset });
    return this.text;
  }

  /** It did not get that: the topic is where it was. */
  goBack(topic: string, position: Since | undefined): void {
    const index = this.#indexes.get(topic);
    if (index === undefined) return;
    if (position !== undefined) return this.#set(index, position);
    this.#positions[index] = undefined;
    this.#parts[index] = '';
  }

  get text(): string {
    return this.#parts.length === 1 ? this.#head + this.#parts[0] : this.#head + this.#parts.join(',');
  }

  #set(index: number, position: Since): void {
    this.#positions[index] = position;
    if (this.#epochs.includes(position.epoch)) this.#writePart(index, position);
    else this.#addEpoch(position.epoch);
  }

  /** Those that no topic is in any more are forgotten: so there are never more than topics. */
  #addEpoch(epoch: string): void {
    const used = new Set(this.#positions.flatMap((position) => (position === undefined ? [] : [position.epoch])));
    this.#epochs = [...used].filter((one) => one !== epoch).concat(epoch);
    for (const [index, position] of this.#positions.entries()) if (position !== undefined) this.#writePart(index, position);
    this.#writeHead();
  }

  #writePart(index: number, position: Since): void {
    const epoch = this.#epochs.indexOf(position.epoch);
    const offset = position.offset.toString(36);
    this.#parts[index] = epoch === 0 ? offset : `${epoch}:${offset}`;
  }

  #writeHead(): void {
    this.#head = `${VERSION};${this.#hash};${this.#epochs.map(encodeURIComponent).join(',')};`;
  }
}

/** The positions in an id; undefined: it is not of these topics, or not an id at all. */
export function readPositions(text: string, topics: readonly string[]): (Since | undefined)[] | undefined {
  const [version, hash, epochList = '', parts = '', more] = text.split(';');
  if (version !== VERSION || hash !== hashOf(topics) || more !== undefined) return undefined;
  const positions = parts.split(',');
  if (positions.length !== topics.length) return undefined;
  const epochs = epochList.split(',').map(decoded);
  const since: (Since | undefined)[] = [];
  for (const part of positions) {
    const [, number = '0', offset = ''] = /^(?:(\d{1,4}):)?([0-9a-z]{0,11})$/.exec(part) ?? [];
    if (part === '') since.push(undefined);
    else {
      const epoch = epochs[Number(number)];
      const place = Number.parseInt(offset, 36);
      if (epoch === undefined || epoch === '' || epoch.length > 64 || !Number.isSafeInteger(place)) return undefined;
      since.push({ epoch, offset: place });
    }
  }
  return since;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** FNV-1a, 32 bits. It only tells a mistake: the positions of other topics. */
function hashOf(topics: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const char of topics.join('\n')) hash = Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193);
  return (hash >>> 0).toString(36);
}
