import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { packMsgpack, unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import type { HolderNews } from './held-user.ts';

/** What comes larger than this is no announcement: NATS' own bound by default. */
const BYTES_MAX = 1_048_576;
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** A tuple, since there is one with each connect: instance, version, flags, connectionsMax, ranks and ages that came, ranks that went. */
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

/** What a node tells the other holders of a user. */
export interface UserAnnouncement extends HolderNews {
  /** Whoever holds the user says what it holds. */
  readonly asks: boolean;
}

export function encodeUserAnnouncement({ instance, version, whole, asks, connectionsMax, added, removed }: UserAnnouncement): Uint8Array {
  const flags = (whole ? WHOLE : 0) | (asks ? ASKS : 0);
  const ranks = added.flatMap(({ rank, ageMs }) => [rank, Math.round(ageMs)]);
  return packMsgpack([instance, version, flags, connectionsMax, ranks, removed]);
}

/** How an announcement of this instance begins: a node hears its own, and need not read them. */
export function beginningOf(instance: string): Uint8Array {
  const bytes = encodeUserAnnouncement({ instance, version: 0, whole: false, asks: false, connectionsMax: 0, added: [], removed: [] });
  const one = encodeUserAnnouncement({ instance, version: 1, whole: false, asks: false, connectionsMax: 0, added: [], removed: [] });
  return bytes.slice(
    0,
    bytes.findIndex((byte, at) => byte !== one[at]),
  );
}

/** @returns undefined for what is none: another version's, or not a node's at all */
export function decodeUserAnnouncement(data: Uint8Array): UserAnnouncement | undefined {
  if (data.length > BYTES_MAX) return undefined;
  try {
    const value: unknown = unpackMsgpack(data);
    if (!wire.Check(value)) return undefined;
    const [instance, version, flags, connectionsMax, ranks, removed] = value as Static<typeof Wire>;
    const added = Array.from({ length: ranks.length >> 1 }, (_, i) => ({
      rank: ranks[2 * i] as number,
      ageMs: ranks[2 * i + 1] as number,
    }));
    return { instance, version, whole: (flags & WHOLE) > 0, asks: (flags & ASKS) > 0, connectionsMax, added, removed };
  } catch {
    return undefined;
  }
}
