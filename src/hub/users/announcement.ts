import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import { unpackChecked } from '../../protocol/unpack-checked.ts';
import type { NodeNews } from './local-user.ts';

/** Larger messages are ignored. It is the default maximum of NATS. */
const BYTES_MAX = 1_048_576;
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** A compact tuple, because each connect sends one: instance, version, flags, connectionsMax, ranks and ages of added connections, removed ranks. */
const Wire = Type.Tuple([
  Type.String({ minLength: 1, maxLength: 64 }),
  count,
  count,
  count,
  Type.Array(Type.Number({ minimum: 0 })),
  Type.Array(Type.Number({ minimum: 0 })),
]);
const wire = Compile(Wire);

const WHOLE = 1;
const ASKS = 2;

/** What a node announces to the other nodes that have connections of a user. */
export interface UserAnnouncement extends NodeNews {
  /** All nodes that have connections of the user must answer with theirs. */
  readonly asks: boolean;
}

export function encodeUserAnnouncement({ instance, version, whole, asks, connectionsMax, added, removed }: UserAnnouncement): Uint8Array {
  const flags = (whole ? WHOLE : 0) | (asks ? ASKS : 0);
  const ranks = added.flatMap(({ rank, ageMs }) => [rank, Math.round(ageMs)]);
  return packMsgpack([instance, version, flags, connectionsMax, ranks, removed]);
}

/** The first bytes of each announcement of this instance. A node receives its own announcements, and skips them without decoding. */
export function beginningOf(instance: string): Uint8Array {
  const bytes = encodeUserAnnouncement({ instance, version: 0, whole: false, asks: false, connectionsMax: 0, added: [], removed: [] });
  const one = encodeUserAnnouncement({ instance, version: 1, whole: false, asks: false, connectionsMax: 0, added: [], removed: [] });
  return bytes.slice(
    0,
    bytes.findIndex((byte, at) => byte !== one[at]),
  );
}

/** @returns undefined for an invalid message: from another version, or not from a node */
export function decodeUserAnnouncement(data: Uint8Array): UserAnnouncement | undefined {
  const value = unpackChecked<Static<typeof Wire>>(data, wire, BYTES_MAX);
  if (value === undefined) return undefined;
  const [instance, version, flags, connectionsMax, ranks, removed] = value;
  const added = Array.from({ length: ranks.length >> 1 }, (_, i) => ({
    rank: ranks[2 * i] as number,
    ageMs: ranks[2 * i + 1] as number,
  }));
  return { instance, version, whole: (flags & WHOLE) > 0, asks: (flags & ASKS) > 0, connectionsMax, added, removed };
}
