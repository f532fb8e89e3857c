import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { unpackChecked } from '../protocol/unpack-checked.ts';

/** Anything larger is not an announcement. */
const BYTES_MAX = 4096;

const text = Type.String({ maxLength: 300 });
const count = Type.Number({ minimum: 0 });

const Status = Type.Object({
  /** Id of the process. Several nodes may have the same name, and a restarted node keeps its name. */
  instance: text,
  nodeId: text,
  /** The host name. */
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
  /** Totals since the node started. */
  publicationsIn: count,
  deliveries: count,
  announceIntervalMs: count,
  /** Its clock when it announced this, milliseconds since 1970. */
  clockMs: count,
});
const Goodbye = Type.Object({ instance: text, leaving: Type.Literal(true) });

/** The status that a node announces regularly to the others. */
export type NodeStatus = Static<typeof Status>;
export type Announcement = NodeStatus | Static<typeof Goodbye>;

const announcement = Compile(Type.Union([Goodbye, Status]));

export function encodeAnnouncement(one: Announcement): Uint8Array {
  return packMsgpack(one);
}

/** @returns undefined if it is not an announcement of this version */
export function decodeAnnouncement(data: Uint8Array): Announcement | undefined {
  return unpackChecked<Announcement>(data, announcement, BYTES_MAX);
}
