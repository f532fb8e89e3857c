import type { Encoding } from '../protocol/codec.ts';
import { stringifyJson } from '../protocol/json-writer.ts';
import { type KeptBytes, keepBytes, toBuffer } from '../protocol/kept-bytes.ts';
import { unpackMsgpack } from '../protocol/msgpack-codec.ts';
import type { PublishedItem } from '../protocol/published-item.ts';
import type { Tags } from '../protocol/tags.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { EncodedItem } from './frame.ts';
import { MsgpackWriter } from './msgpack-writer.ts';
import { TimedItem } from './timed-item.ts';

/** The parts of a publication when it reaches the fan-out. `data` and `first` are one MessagePack value each, and are copied. */
export interface ItemSource extends PublishedItem {
  /** Of a patch: one MessagePack value, a merge patch to apply before it. */
  readonly first?: Uint8Array | undefined;
}

/** Memory of an item besides its bytes: itself, the objects around them, its slot (measured on Node 20: 201 B, and 365 B if they are more than a kilobyte). */
const OBJECT_BYTES = 256;

const REMOVED = 1;
const NO_ECHO = 2;
const VOLATILE = 4;
const PATCH = 8;

const writer = new MsgpackWriter(1024);

/**
 * One publication, encoded as the protocol's `[offset, key, data, meta?]` once for all members: in MessagePack when it is created, in JSON only when the first
 * JSON member needs it.
 */
export class FanoutItem {
  readonly offset: number;
  readonly key: Key | null;
  /** In feeds of patterns. */
  readonly topic: Topic | undefined;
  readonly tags: Tags | undefined;
  readonly publishedAtMs: number;
  /** When it happened, by its producer's clock: whole milliseconds since 1970. */
  readonly eventAtMs: number | undefined;
  /** The connection that published it, if a client did, or on whose behalf; used by `echo: false`. */
  readonly connectionId: string | undefined;
  readonly #user: string | undefined;
  /** In one field, because there are very many items. */
  readonly #flags: number;
  /** Of a patch: the length of what is to be applied before it, which is at the end of the MessagePack form; 0: nothing. */
  readonly #firstBytes: number;
  /** What changed from the value before; undefined: everything, or nobody follows that. It counts in {@link bytes}, so it is set before the item is kept. */
  delta: FanoutItem | undefined;
  readonly #msgpack: KeptBytes;
  readonly #dataStart: number;
  readonly #dataEnd: number;
  #json: KeptBytes | undefined;

  constructor(source: ItemSource) {
    this.offset = source.offset;
    this.key = source.key;
    this.topic = source.topic;
    this.tags = source.tags;
    this.publishedAtMs = source.publishedAtMs;
    this.eventAtMs = source.eventAtMs;
    this.connectionId = source.connectionId;
    this.#user = source.user;
    this.#flags = flagsOf(source);
    this.#firstBytes = source.first?.length ?? 0;
    const metaFields = metaFieldsOf(source);
    writer.reset();
    writer.arrayHeader(metaFields === 0 ? 3 : 4);
    writer.uint(source.offset);
    if (source.key === null) writer.nil();
    else writer.text(source.key);
    this.#dataStart = writer.length;
    writer.raw(source.data);
    this.#dataEnd = writer.length;
    if (metaFields > 0) {
      writer.mapHeader(metaFields);
      if (source.topic !== undefined) {
        writer.text('topic');
        writer.text(source.topic);
      }
      if (source.tags !== undefined) writeTags(source.tags);
      if (source.eventAtMs !== undefined) {
        writer.text('eventAtMs');
        writer.uint(source.eventAtMs);
      }
      if (source.user !== undefined) {
        writer.text('origin');
        writer.text(source.user);
      }
      if (source.removed) {
        writer.text('removed');
        writer.bool(true);
      }
      if (source.patch) {
        writer.text('patch');
        writer.bool(true);
      }
      // The last one: see #firstBytes.
      if (source.first !== undefined) {
        writer.text('first');
        writer.raw(source.first);
      }
    }
    this.#msgpack = writer.keep();
  }

  /** The memory that counts against the ring's limits: its MessagePack form and the object around it, and those of its delta. It does not change when JSON is created. */
  get bytes(): number {
    return this.#msgpack.length + OBJECT_BYTES + (this.delta?.bytes ?? 0);
  }

  /** Its size in a frame, in MessagePack. */
  get wireBytes(): number {
    return this.#msgpack.length;
  }

  get metaAt(): number {
    return this.#dataEnd;
  }

  get hasMeta(): boolean {
    if (this.topic !== undefined || this.tags !== undefined) return true;
    return this.#user !== undefined || this.eventAtMs !== undefined || (this.#flags & (REMOVED | PATCH)) !== 0;
  }

  /**
   * The same publication as a merge patch.
   *
   * @param patch one MessagePack value
   * @param first what to apply before it
   */
  withPatch(patch: Uint8Array, first?: Uint8Array): FanoutItem {
    return new FanoutItem({ ...this.#head(), data: patch, patch: true, first });
  }

  /** The same publication with other data, as a whole. @param data one MessagePack value, which is copied */
  withData(data: Uint8Array): FanoutItem {
    return new FanoutItem({ ...this.#head(), data });
  }

  #head(): Omit<ItemSource, 'data'> {
    const { offset, key, publishedAtMs, eventAtMs, connectionId, tags } = this;
    const origin = { ...(this.#user !== undefined && { user: this.#user }), ...(connectionId !== undefined && { connectionId }) };
    return { offset, key, publishedAtMs, eventAtMs, tags, ...origin };
  }

  timed(): EncodedItem {
    return new TimedItem(this);
  }

  get removed(): boolean {
    return (this.#flags & REMOVED) !== 0;
  }

  get noEcho(): boolean {
    return (this.#flags & NO_ECHO) !== 0;
  }

  get volatile(): boolean {
    return (this.#flags & VOLATILE) !== 0;
  }

  get isPatch(): boolean {
    return (this.#flags & PATCH) !== 0;
  }

  /** Of a patch: what is to be applied before it. One MessagePack value: a view, or a copy. */
  get first(): Uint8Array | undefined {
    return this.#firstBytes === 0 ? undefined : toBuffer(this.#msgpack).subarray(-this.#firstBytes);
  }

  /** One MessagePack value: a view, or a copy. */
  get data(): Uint8Array {
    return toBuffer(this.#msgpack).subarray(this.#dataStart, this.#dataEnd);
  }

  encoded(encoding: Encoding): KeptBytes {
    if (encoding === 'msgpack') return this.#msgpack;
    this.#json ??= keepBytes(Buffer.from(this.#toJson()));
    return this.#json;
  }

  #toJson(): string {
    const data = stringifyJson(unpackMsgpack(this.data));
    const head = `[${this.offset},${this.key === null ? 'null' : JSON.stringify(this.key)},${data}`;
    if (!this.hasMeta) return `${head}]`;
    const meta = {
      ...(this.topic !== undefined && { topic: this.topic }),
      ...(this.tags !== undefined && { tags: this.tags }),
      ...(this.eventAtMs !== undefined && { eventAtMs: this.eventAtMs }),
      ...(this.#user !== undefined && { origin: this.#user }),
      ...(this.removed && { removed: true }),
      ...(this.isPatch && { patch: true }),
      ...(this.first !== undefined && { first: unpackMsgpack(this.first) }),
    };
    return `${head},${stringifyJson(meta)}]`;
  }
}

function writeTags(tags: Tags): void {
  const all = Object.entries(tags);
  writer.text('tags');
  writer.mapHeader(all.length);
  for (const [name, value] of all) {
    writer.text(name);
    writer.text(value);
  }
}

function metaFieldsOf({ topic, tags, eventAtMs, user, removed, patch, first }: ItemSource): number {
  const marks = (eventAtMs === undefined ? 0 : 1) + (tags === undefined ? 0 : 1);
  return marks + (topic === undefined ? 0 : 1) + (user === undefined ? 0 : 1) + (removed ? 1 : 0) + (patch ? 1 : 0) + (first ? 1 : 0);
}

function flagsOf({ removed, noEcho, volatile, patch }: ItemSource): number {
  return (removed ? REMOVED : 0) | (noEcho ? NO_ECHO : 0) | (volatile ? VOLATILE : 0) | (patch ? PATCH : 0);
}
