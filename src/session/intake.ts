import type { Connection } from './connection.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { InboundLimits, InboundVerdict } from './inbound-limits.ts';
import type { SessionMetrics } from './metrics.ts';
import type { ReadTurns } from './read-turns.ts';

export interface IntakeOptions {
  readonly limits: InboundLimits;
  readonly heartbeat: Heartbeat<Connection>;
  readonly turns: ReadTurns<Connection>;
  readonly metrics: Pick<SessionMetrics, 'bytesIn' | 'controlFramesIn' | 'floods'>;
}

/** Counts every frame that clients send, checks it against the limits, and passes messages on. */
export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): void {
    const { limits, turns, metrics } = this.#options;
    metrics.bytesIn(message.byteLength);
    const verdict = this.#heard(connection, message.byteLength);
    if (verdict === 'flood') return;
    // A text frame on a MessagePack connection: the client does not use the encoding that it requested. JSON in a binary frame is read as in a text frame.
    if (!isBinary && connection.codec.binary) return connection.end('malformedMessage');
    // The transport reuses its buffer when this returns, and a command may take longer.
    const bytes = new Uint8Array(message.slice(0));
    turns.take(connection, { bytes, bytesWaitMs: verdict === 'ok' ? 0 : limits.retryAfterMs(connection), atMs: Date.now() });
  }

  /** A ping or a pong. */
  controlFrame(connection: Connection, payloadBytes: number): void {
    this.#options.metrics.controlFramesIn.inc();
    this.#heard(connection, payloadBytes);
  }

  /** A frame of any kind shows that the peer is alive, and is counted. */
  #heard(connection: Connection, payloadBytes: number): InboundVerdict {
    const { heartbeat, limits, metrics } = this.#options;
    heartbeat.heard(connection);
    const verdict = limits.take(connection, payloadBytes, Date.now());
    if (verdict === 'flood') {
      metrics.floods.inc();
      connection.end('tooManyErrors', 'more frames or bytes than allowed');
    }
    return verdict;
  }
}
