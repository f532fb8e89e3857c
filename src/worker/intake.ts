import type { Logger } from '../ops/log.ts';
import type { Connection } from './connection.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { InboundLimits, InboundVerdict } from './inbound-limits.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface IntakeOptions {
  readonly limits: InboundLimits;
  readonly heartbeat: Heartbeat<Connection>;
  readonly dispatcher: Dispatcher;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
}

/** Every frame that clients send, as uWebSockets hands it over: counted, held against the limits, and messages passed on. */
export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): void {
    const { limits, dispatcher, metrics, logger } = this.#options;
    metrics.bytesIn(message.byteLength);
    const verdict = this.#heard(connection, message.byteLength);
    if (verdict === 'flood') return;
    // Text on a MessagePack connection: this client does not speak what it asked for. JSON in a binary frame is read as in a text frame.
    if (!isBinary && connection.codec.binary) return connection.end('malformedMessage');
    // uWS takes its buffer back when this handler returns, and a command may go on after that.
    const bytes = new Uint8Array(message.slice(0));
    dispatcher.receive(connection, bytes, verdict === 'ok' ? 0 : limits.retryAfterMs(connection)).catch((error) => {
      logger.error({ err: error }, 'a message could not be handled');
      connection.end('serverError');
    });
  }

  /** A ping or a pong. */
  controlFrame(connection: Connection, payload: ArrayBuffer): void {
    this.#options.metrics.controlFramesIn.inc();
    this.#heard(connection, payload.byteLength);
  }

  /** A frame of any kind shows that the peer is there, and counts. */
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
