import type { Config } from '../config/schema.ts';
import type { Encoding } from '../protocol/codec.ts';
import { ERROR_KINDS } from '../protocol/errors.ts';
import { jsonCodec } from '../protocol/json-codec.ts';
import { msgpackCodec } from '../protocol/msgpack-codec.ts';
import type { Connection } from './connection.ts';
import { sayGoodbye } from './drain.ts';

/** Connections told in one loop turn: about 2 ms of sends. */
const TOLD_PER_TURN = 250;

const AWAY = {
  type: 'error',
  code: 'unavailable',
  message: 'the broker cannot be reached: nothing is published or delivered until it is back',
  retryable: ERROR_KINDS.unavailable.retryable,
};

/** Encoded once for all. */
const FRAMES: Record<Encoding, Uint8Array> = { json: jsonCodec.encode(AWAY), msgpack: msgpackCodec.encode(AWAY) };

/**
 * Tells connections when the bus has been away for a moment, and by config closes them, so that they find a node that has one. A bus that is back
 * before that is not worth a word to anybody.
 */
export class BusWatch {
  readonly #connections: ReadonlySet<Connection>;
  readonly #config: Config;
  #grace: NodeJS.Timeout | undefined;
  #away = false;
  /** Counts changes: who tells of one that is over stops. */
  #change = 0;

  constructor(connections: ReadonlySet<Connection>, config: Config) {
    this.#connections = connections;
    this.#config = config;
  }

  /** It has been away for longer than the grace. */
  get away(): boolean {
    return this.#away;
  }

  /** Would a new connection be closed at once? */
  get closes(): boolean {
    return this.#away && this.#config.nats.whenAway === 'close';
  }

  changed(connected: boolean): void {
    clearTimeout(this.#grace);
    this.#change++;
    if (connected) this.#away = false;
    else this.#grace = setTimeout(() => void this.#tell(), this.#config.nats.awayGraceMs);
  }

  /** A connection has come. */
  opened(connection: Connection): void {
    if (this.#away) connection.sendEncoded(FRAMES[connection.codec.encoding]);
  }

  stop(): void {
    clearTimeout(this.#grace);
    this.#change++;
  }

  async #tell(): Promise<void> {
    this.#away = true;
    const change = this.#change;
    const goOn = () => change === this.#change;
    const waiting = [...this.#connections];
    for (let at = 0; at < waiting.length && goOn(); at += TOLD_PER_TURN) {
      for (const connection of waiting.slice(at, at + TOLD_PER_TURN)) connection.sendEncoded(FRAMES[connection.codec.encoding]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!this.closes) return;
    await sayGoodbye(this.#connections, { reason: 'brokerUnavailable', perSecond: this.#config.hub.drainConnectionsPerSecond, goOn });
  }
}
