import { Packr } from 'msgpackr';
import { putBytes } from '../protocol/kept-bytes.ts';
import type { Tags } from '../protocol/tags.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { ToHub, ToWorker } from './messages.ts';
import { type FeedPlace, type LinkItem, PublicationMessage } from './publication-message.ts';

/**
 * The encoding of the link: records of `[u32 length][u8 kind][body]`, little-endian. Both ends are the same build of the same program, so there is no version.
 * Publications, nearly all of the traffic, have a body with fixed fields. Everything else is MessagePack.
 *
 * Publication body: u16 flags, u32 topic number, f64 offset, f64 prev, f64 publishedAtMs, u8 key length, key, [u16 length user, u16 length connection id,]
 * [f64 eventAtMs,] [u8 topic length, topic,] [u16 length tags as JSON,] [u16 number of other feeds, u32 topic number, f64 prev, …] data to the end of the record.
 */
const KIND_PUBLICATION = 1;
const KIND_OTHER = 2;
const FLAG_ORIGIN = 1;
const FLAG_REMOVED = 2;
const FLAG_NO_ECHO = 4;
const FLAG_VOLATILE = 8;
const FLAG_PATCH = 16;
const FLAG_EVENT_TIME = 32;
const FLAG_TOPIC = 64;
const FLAG_OTHERS = 128;
const FLAG_TAGS = 256;
const HEADER_BYTES = 5;
const FIXED_BYTES = 2 + 4 + 8 * 3 + 1;
const PLACE_BYTES = 4 + 8;

/** A longer record is a bug of the other end. */
export const RECORD_BYTES_MAX = 256 * 1024 * 1024;

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

export function encodeRecord(message: ToWorker | ToHub): Buffer {
  if (message.kind !== 'publication') {
    const body = packr.pack(message);
    const record = Buffer.allocUnsafe(HEADER_BYTES + body.length);
    record.writeUInt32LE(1 + body.length, 0);
    record[4] = KIND_OTHER;
    record.set(body, HEADER_BYTES);
    return record;
  }
  message.encoded ??= encodePublication(message);
  return message.encoded;
}

function encodePublication({ topicNumber, prev, item, others }: PublicationMessage): Buffer {
  const key = item.key ?? '';
  // Whoever has a user has a connection.
  const { user = '', connectionId, eventAtMs, topic, tags } = item;
  const originBytes = connectionId === undefined ? 0 : 4 + Buffer.byteLength(user) + Buffer.byteLength(connectionId);
  const keyBytes = Buffer.byteLength(key);
  const timeBytes = eventAtMs === undefined ? 0 : 8;
  // Topics are ASCII.
  const topicBytes = topic === undefined ? 0 : 1 + topic.length;
  // So are names and texts of tags.
  const tagsText = tags === undefined ? '' : JSON.stringify(tags);
  const tagsBytes = tags === undefined ? 0 : 2 + tagsText.length;
  const othersBytes = others.length === 0 ? 0 : 2 + PLACE_BYTES * others.length;
  const length = FIXED_BYTES + keyBytes + originBytes + timeBytes + topicBytes + tagsBytes + othersBytes + item.data.length;
  const record = Buffer.allocUnsafe(HEADER_BYTES + length);
  record.writeUInt32LE(1 + length, 0);
  record[4] = KIND_PUBLICATION;
  record.writeUInt16LE(flagsOf(item) | (others.length === 0 ? 0 : FLAG_OTHERS), 5);
  record.writeUInt32LE(topicNumber, 7);
  record.writeDoubleLE(item.offset, 11);
  record.writeDoubleLE(prev, 19);
  record.writeDoubleLE(item.publishedAtMs, 27);
  record[35] = keyBytes;
  let at = 36 + record.write(key, 36, 'utf8');
  if (connectionId !== undefined) {
    at = writeText(record, user, at);
    at = writeText(record, connectionId, at);
  }
  if (eventAtMs !== undefined) at = record.writeDoubleLE(eventAtMs, at);
  if (topic !== undefined) {
    record[at] = topic.length;
    at += 1 + record.write(topic, at + 1, 'latin1');
  }
  if (tags !== undefined) at = writeText(record, tagsText, at);
  if (others.length > 0) at = writePlaces(record, others, at);
  putBytes(item.data, record, at);
  return record;
}

function writePlaces(record: Buffer, places: readonly FeedPlace[], from: number): number {
  let at = record.writeUInt16LE(places.length, from);
  for (const { topicNumber, prev } of places) {
    record.writeUInt32LE(topicNumber, at);
    record.writeDoubleLE(prev, at + 4);
    at += PLACE_BYTES;
  }
  return at;
}

function readPlaces(body: Buffer, from: number): FeedPlace[] {
  return Array.from({ length: body.readUInt16LE(from) }, (_, index) => {
    const at = from + 2 + PLACE_BYTES * index;
    return { topicNumber: body.readUInt32LE(at), prev: body.readDoubleLE(at + 4) };
  });
}

function flagsOf({ connectionId, removed, noEcho, volatile, patch, eventAtMs, topic, tags }: LinkItem): number {
  const origin = connectionId === undefined ? 0 : FLAG_ORIGIN;
  const sending = (noEcho ? FLAG_NO_ECHO : 0) | (volatile ? FLAG_VOLATILE : 0);
  const time = eventAtMs === undefined ? 0 : FLAG_EVENT_TIME;
  const marks = (topic === undefined ? 0 : FLAG_TOPIC) | (tags === undefined ? 0 : FLAG_TAGS);
  return origin | sending | time | marks | (removed ? FLAG_REMOVED : 0) | (patch ? FLAG_PATCH : 0);
}

function writeText(record: Buffer, text: string, at: number): number {
  const length = record.write(text, at + 2, 'utf8');
  record.writeUInt16LE(length, at);
  return at + 2 + length;
}

function decodePublication(body: Buffer): PublicationMessage {
  const flags = body.readUInt16LE(0);
  const keyEnd = 31 + (body[30] as number);
  let at = keyEnd;
  let user = '';
  let connectionId: string | undefined;
  if (flags & FLAG_ORIGIN) {
    const userEnd = at + 2 + body.readUInt16LE(at);
    user = body.toString('utf8', at + 2, userEnd);
    at = userEnd + 2 + body.readUInt16LE(userEnd);
    connectionId = body.toString('utf8', userEnd + 2, at);
  }
  const eventAtMs = flags & FLAG_EVENT_TIME ? body.readDoubleLE(at) : undefined;
  if (eventAtMs !== undefined) at += 8;
  let topic: Topic | undefined;
  if (flags & FLAG_TOPIC) {
    const topicEnd = at + 1 + (body[at] as number);
    topic = body.toString('latin1', at + 1, topicEnd) as Topic;
    at = topicEnd;
  }
  let tags: Tags | undefined;
  if (flags & FLAG_TAGS) {
    const tagsEnd = at + 2 + body.readUInt16LE(at);
    tags = JSON.parse(body.toString('latin1', at + 2, tagsEnd)) as Tags;
    at = tagsEnd;
  }
  const others = flags & FLAG_OTHERS ? readPlaces(body, at) : undefined;
  if (others !== undefined) at += 2 + PLACE_BYTES * others.length;
  const item: LinkItem = {
    offset: body.readDoubleLE(6),
    key: keyEnd === 31 ? null : (body.toString('utf8', 31, keyEnd) as Key),
    data: body.subarray(at),
    publishedAtMs: body.readDoubleLE(22),
    ...(eventAtMs !== undefined && { eventAtMs }),
    ...(user !== '' && { user }),
    ...(connectionId !== undefined && { connectionId }),
    ...(flags & FLAG_REMOVED && { removed: true as const }),
    ...(flags & FLAG_NO_ECHO && { noEcho: true as const }),
    ...(flags & FLAG_VOLATILE && { volatile: true as const }),
    ...(flags & FLAG_PATCH && { patch: true as const }),
    ...(topic !== undefined && { topic }),
    ...(tags !== undefined && { tags }),
  };
  return new PublicationMessage(body.readUInt32LE(2), body.readDoubleLE(14), item, others);
}

/**
 * Splits a byte stream into messages. Messages contain views of the received chunks. Each byte of a long record is copied once, however many chunks it comes
 * in.
 */
export class RecordReader<In extends ToWorker | ToHub> {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes needed for the next record, or for its header. */
  #needed = HEADER_BYTES;

  /** @throws Error if the stream is invalid; the link must then be closed */
  push(chunk: Buffer): In[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: In[] = [];
    if (this.#bytes < this.#needed) return messages;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    let at = 0;
    for (this.#needed = HEADER_BYTES; bytes.length - at >= HEADER_BYTES; ) {
      const length = bytes.readUInt32LE(at);
      if (length < 1 || length > RECORD_BYTES_MAX) throw new Error(`link record of ${length} bytes`);
      const end = at + 4 + length;
      if (end > bytes.length) {
        this.#needed = 4 + length;
        break;
      }
      messages.push(decodeRecord(bytes[at + 4] as number, bytes.subarray(at + HEADER_BYTES, end)) as In);
      at = end;
    }
    this.#bytes = bytes.length - at;
    this.#chunks = this.#bytes === 0 ? [] : [bytes.subarray(at)];
    return messages;
  }
}

function decodeRecord(kind: number, body: Buffer): ToWorker | ToHub {
  if (kind === KIND_PUBLICATION) return decodePublication(body);
  if (kind === KIND_OTHER) return packr.unpack(body);
  throw new Error(`unknown link record kind ${kind}`);
}
