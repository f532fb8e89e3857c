import { Packr } from 'msgpackr';
import type { ServerMessage } from '../../../src/protocol/messages.ts';
import { decodeFrame } from '../../support/decode-frame.ts';
import { DocumentFollower } from '../../support/document-follower.ts';
import { ClientSocket } from '../swarm/socket.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** In MessagePack; it is the last field of a message. */
const ITEMS = Buffer.from([0xa5, ...Buffer.from('items')]);
/** Smaller messages are decoded as a whole. */
const LARGE_BYTES = 2048;

/**
 * What thousands of clients must know of a large message: everything but its items, whose decoding would take the cores that the node needs; of a batch with
 * one item, how far that leads.
 */
function headOf(frame: Buffer): ServerMessage {
  const [head = 0] = frame;
  const at = frame.indexOf(ITEMS);
  // A map of up to 15 fields.
  if ((head & 0xf0) !== 0x80 || at < 0) return decodeFrame(frame, true);
  const without = Buffer.from(frame.subarray(0, at));
  without[0] = head - 1;
  const message = decodeFrame(without, true) as ServerMessage<'subscribed' | 'resync' | 'batch'>;
  if (message.type !== 'batch') return { ...message, items: [] };
  const offset = offsetOfOnlyItem(frame, at + ITEMS.length);
  return offset === undefined ? decodeFrame(frame, true) : { ...message, items: [[offset]] };
}

const LIST_OF_ONE = 0x91;
const UINT_16 = 0xcd;
const UINT_32 = 0xce;

/** Undefined: there are several, or it is in another form. */
function offsetOfOnlyItem(frame: Buffer, at: number): number | undefined {
  // Its own list begins with the offset.
  if (frame[at] !== LIST_OF_ONE || ((frame[at + 1] as number) & 0xf0) !== 0x90) return undefined;
  const [form = 0] = frame.subarray(at + 2);
  if (form < 0x80) return form;
  if (form === UINT_16) return frame.readUInt16BE(at + 3);
  return form === UINT_32 ? frame.readUInt32BE(at + 3) : undefined;
}

/** The last frames that clients have decoded. Members get the same bytes, and mostly one after the other. */
const decoded: { readonly frame: Buffer; readonly message: ServerMessage }[] = [];
const DECODED_MAX = 4;

function decodeShared(frame: Buffer): ServerMessage {
  const known = decoded.find((one) => one.frame.equals(frame));
  if (known !== undefined) return known.message;
  const message = decodeFrame(frame, true);
  // The socket's buffer is used again.
  decoded.unshift({ frame: Buffer.from(frame), message });
  decoded.length = Math.min(decoded.length, DECODED_MAX);
  return message;
}

export interface BookPosition {
  readonly epoch: string;
  readonly offset: number;
}

/**
 * One of thousands of clients that return to a book at once, on a raw socket, because they share the cores with the node. It keeps its position, and, where it
 * begins with one, the document.
 */
export class ReturningClient {
  epoch = '';
  offset: number;
  /** When everything that it had missed had arrived, on the clock of performance.now(); undefined: not yet. */
  recoveredAtMs: number | undefined;
  recovered = false;
  /** Of the answer, and what of it came in batches. */
  recoveryBytes = 0;
  gaps = 0;
  readonly follower: DocumentFollower | undefined;
  readonly messages: ServerMessage[] = [];
  #socket!: ClientSocket;
  readonly #topic: string;
  readonly #since: BookPosition;
  #upTo: number | undefined;

  private constructor(topic: string, since: BookPosition, document: unknown) {
    this.#topic = topic;
    this.#since = since;
    this.offset = since.offset;
    if (document !== undefined) {
      this.follower = new DocumentFollower(topic);
      Object.assign(this.follower, { document, ...since });
    }
  }

  /** Connected, and not subscribed. @param document at `since`; undefined: it only keeps its position */
  static connect(port: number, topic: string, since: BookPosition, document: unknown): Promise<ReturningClient> {
    const client = new ReturningClient(topic, since, document);
    return new Promise((resolve, reject) => {
      client.#socket = new ClientSocket(port, undefined, {
        opened: () => resolve(client),
        frame: (bytes, start, end) => client.#receive(bytes.subarray(start, end)),
        ended: (code, text) => reject(new Error(`${code} ${text}`)),
      });
    });
  }

  subscribe(): void {
    this.#socket.send(packr.pack({ type: 'subscribe', id: 1, topic: this.#topic, since: this.#since }));
  }

  close(): void {
    this.#socket.cut();
  }

  #decode(data: Buffer): ServerMessage {
    // What folds nothing need not decode documents.
    if (this.follower === undefined && data.length > LARGE_BYTES) return headOf(data);
    // Nobody else gets the same answer.
    return this.#upTo === undefined ? decodeFrame(data, true) : decodeShared(data);
  }

  #receive(data: Buffer): void {
    const message = this.#decode(data);
    if (message.type !== 'subscribed' && message.type !== 'batch' && message.type !== 'resync') return;
    if (this.recoveredAtMs === undefined) this.recoveryBytes += data.length;
    if (message.type === 'subscribed') {
      this.recovered = message.recovered;
      this.epoch = message.epoch;
      this.#upTo = message.upTo ?? message.offset;
    } else if (message.type === 'batch' && message.prev > this.offset) this.gaps++;
    const last = message.items.at(-1)?.[0] ?? 0;
    this.offset = Math.max(this.offset, last, message.type === 'batch' ? 0 : message.offset);
    if (this.recoveredAtMs === undefined && this.#upTo !== undefined && this.offset >= this.#upTo) this.recoveredAtMs = performance.now();
    if (this.follower === undefined) return;
    this.messages.push(message);
    this.follower.take(this);
  }
}
