import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';

/** What comes larger than this is no announcement. */
const BYTES_MAX = 4096;

const text = Type.String({ maxLength: 300 });
const count = Type.Number({ minimum: 0 });

const Status = Type.Object({
  /** Of the process: nodes may be given the same name, and a node that is started again keeps it. */
  instance: text,
  nodeId: text,
  /** The machine's name. */
  host: text,
  version: text,
  uptimeMs: count,
  notReady: Type.Union([text, Type.Null()]),
  workers: count,
  connections: count,
  connectionsMax: count,
  subscriptions: count,
  lagging: count,
  topics: count,
  /** Since it started. */
  publicationsIn: count,
  deliveries: count,
  announceIntervalMs: count,
});
const Goodbye = Type.Object({ instance: text, leaving: Type.Literal(true) });

/** How a node is, as it tells the others now and then. */
export type NodeStatus = Static<typeof Status>;
export type Announcement = NodeStatus | Static<typeof Goodbye>;

const announcement = Compile(Type.Union([Goodbye, Status]));

export function encodeAnnouncement(one: Announcement): Uint8Array {
  return packMsgpack(one);
}

/** @returns undefined for what is none: another version's, or not a node's at all */
export function decodeAnnouncement(data: Uint8Array): Announcement | undefined {
  if (data.length > BYTES_MAX) return undefined;
  try {
    const value = unpackMsgpack(data);
    return announcement.Check(value) ? (value as Announcement) : undefined;
  } catch {
    return undefined;
  }
}
