import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { isTopic } from '../protocol/topic.ts';
import { unpackChecked } from '../protocol/unpack-checked.ts';
import type { Member } from './member.ts';
import type { TopicChange } from './topic-change.ts';

/** No node sends a larger message. */
const BYTES_MAX = 4 * 1024 * 1024;
/** Approximate maximum size of one message. More is split. NATS accepts 1 MiB by default, and a node should also work with 64 KiB. */
const PART_BYTES = 48 * 1024;
const TOPIC_OVERHEAD_BYTES = 60;
const MEMBER_OVERHEAD_BYTES = 16;

const Id = Type.String({ minLength: 1, maxLength: 300 });
const Count = Type.Integer({ minimum: 0 });
const Change = Type.Object({
  topic: Type.String(),
  count: Count,
  kind: Type.Union([Type.Literal('counted'), Type.Literal('named'), Type.Literal('renamed')]),
  joined: Type.Array(Type.Object({ id: Id, info: Type.Optional(Type.Unknown()) })),
  left: Type.Array(Id),
});
const from = { from: Type.String({ minLength: 1, maxLength: 64 }) };

const Message = Type.Union([
  /** Changes, numbered without a gap. Without changes: the number of the last. Each node sends one or the other every second. */
  Type.Object({ ...from, kind: Type.Literal('changes'), sequence: Count, changes: Type.Array(Change) }),
  /** The whole state of a node, in parts, as of a sequence number or a little later. */
  Type.Object({ ...from, kind: Type.Literal('state'), sequence: Count, part: Count, parts: Count, changes: Type.Array(Change) }),
  Type.Object({ ...from, kind: Type.Literal('ask') }),
  Type.Object({ ...from, kind: Type.Literal('bye') }),
]);

/** The messages between nodes. `from` identifies one run of a node. */
export type PresenceMessage =
  | { readonly from: string; readonly kind: 'changes'; readonly sequence: number; readonly changes: readonly TopicChange[] }
  | {
      readonly from: string;
      readonly kind: 'state';
      readonly sequence: number;
      readonly part: number;
      readonly parts: number;
      readonly changes: readonly TopicChange[];
    }
  | { readonly from: string; readonly kind: 'ask' }
  | { readonly from: string; readonly kind: 'bye' };

const checked = Compile(Message);

export function encodePresence(message: PresenceMessage): Uint8Array {
  return packMsgpack(message);
}

/** @returns undefined for an invalid message: from another version, or not from a node */
export function decodePresence(data: Uint8Array): PresenceMessage | undefined {
  const message = unpackChecked<Static<typeof Message>>(data, checked, BYTES_MAX);
  if (message === undefined || ('changes' in message && !message.changes.every(({ topic }) => isTopic(topic)))) return undefined;
  return message as PresenceMessage;
}

/** Splits the changes into messages of limited size. There is always at least one. */
export function partsOf(changes: readonly TopicChange[]): TopicChange[][] {
  const parts: TopicChange[][] = [[]];
  let bytes = 0;
  const add = (change: TopicChange, more: number) => {
    if (bytes > 0 && bytes + more > PART_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(change);
    bytes += more;
  };
  for (const change of changes) for (const piece of piecesOf(change)) add(piece, changeBytes(piece));
  return parts;
}

/** Splits a topic that has too many members for one message. */
function* piecesOf(change: TopicChange): Iterable<TopicChange> {
  if (changeBytes(change) <= PART_BYTES) return yield change;
  let { kind, left } = change;
  let joined: Member[] = [];
  let bytes = 0;
  for (const member of change.joined) {
    if (bytes > PART_BYTES / 2) {
      yield { ...change, kind, joined, left };
      kind = 'named';
      left = [];
      joined = [];
      bytes = 0;
    }
    joined.push(member);
    bytes += memberBytes(member);
  }
  yield { ...change, kind, joined, left };
}

function changeBytes({ topic, joined, left }: TopicChange): number {
  let bytes = TOPIC_OVERHEAD_BYTES + topic.length;
  for (const member of joined) bytes += memberBytes(member);
  for (const id of left) bytes += Buffer.byteLength(id) + 3;
  return bytes;
}

function memberBytes({ id, info }: Member): number {
  return MEMBER_OVERHEAD_BYTES + Buffer.byteLength(id) + (info === undefined ? 0 : Buffer.byteLength(JSON.stringify(info)));
}
