import type { Config } from '../config/schema.ts';
import type { Encoding } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Connection } from '../session/connection.ts';
import { sayGoodbye } from './drain.ts';

/** Number of connections to tell in one loop turn: about 2 ms of sends. */
const TOLD_PER_TURN = 250;

const AWAY: ServerMessage<'feed'> = {
  type: 'feed',
  live: false,
  reason: 'the broker cannot be reached: nothing is published or delivered until it is back',
};
const LIVE: ServerMessage<'feed'> = { type: 'feed', live: true };

/** Each encoded once for all. */
const FRAMES = { away: encoded(AWAY), live: encoded(LIVE) };

/**
 * Tells connections when the bus has been disconnected for longer than the grace time, and when it is back. If configured, it closes them meanwhile, so that
 * they find a node with a bus. A shorter interruption is not reported.
 */
export class BusWatch {
  readonly #connections: Iterable<Connection>;
  readonly #config: Config;
  #grace: NodeJS.Timeout | undefined;
  #away = false;
  /** Counts changes: reporting one stops when the next has come. */
  #change = 0;

  constructor(connections: Iterable<Connection>, config: Config) {
    this.#connections = connections;
    this.#config = config;
  }

  /** Whether a new connection would be closed immediately. */
  get closes(): boolean {
    return this.#away && this.#config.nats.whenAway === 'close';
  }

  changed(connected: boolean): void {
    clearTimeout(this.#grace);
    this.#change++;
    if (!connected) this.#grace = setTimeout(() => void this.#wentAway(), this.#config.tuning.nats.awayGraceMs);
    else if (this.#away) {
      this.#away = false;
      void this.#tell(FRAMES.live);
    }
  }

  /** A connection has opened. Unless told otherwise, it assumes that the feed is live. */
  opened(connection: Connection): void {
    if (this.#away) connection.receiver.sendEncoded(FRAMES.away[connection.codec.encoding]);
  }

  stop(): void {
    clearTimeout(this.#grace);
    this.#change++;
  }

  async #wentAway(): Promise<void> {
    this.#away = true;
    const goOn = this.#untilNextChange();
    await this.#tell(FRAMES.away);
    if (!this.closes || !goOn()) return;
    await sayGoodbye(this.#connections, { reason: 'brokerUnavailable', perSecond: this.#config.hub.drainConnectionsPerSecond, goOn });
  }

  /** Tells all open connections. {@link opened} tells those that come later. */
  async #tell(frames: Record<Encoding, Uint8Array>): Promise<void> {
    const goOn = this.#untilNextChange();
    const waiting = [...this.#connections];
    for (let at = 0; at < waiting.length && goOn(); at += TOLD_PER_TURN) {
      for (const connection of waiting.slice(at, at + TOLD_PER_TURN)) connection.receiver.sendEncoded(frames[connection.codec.encoding]);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #untilNextChange(): () => boolean {
    const change = this.#change;
    return () => change === this.#change;
  }
}

function encoded(message: ServerMessage<'feed'>): Record<Encoding, Uint8Array> {
  return { json: CODECS.json.encode(message), msgpack: CODECS.msgpack.encode(message) };
}
