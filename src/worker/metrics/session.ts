import { Counter, Gauge, type Registry } from 'prom-client';
import type { WorkerTotals } from '../../link/reports.ts';
import { CLOSE_CODES } from '../../protocol/close-codes.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { SessionMetrics } from '../../session/metrics.ts';
import { sumBy } from '../../telemetry/sum-by.ts';

/** Our own codes, and those of WebSocket stacks. Clients may send any code, and each would be a permanent time series. */
const COUNTED_CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, ...Object.values(CLOSE_CODES)]);

/** Of clients: their connections, what they send, and the errors that they get. */
export class SessionCounters implements SessionMetrics {
  readonly connections: Gauge;
  readonly #connectionsOpened: Counter;
  readonly #connectionsClosed: Counter<'code'>;
  readonly #connectsRefused: Counter<'limit'>;
  readonly #messagesIn: Counter<'type'>;
  readonly #bytesIn: Counter;
  readonly controlFramesIn: Counter;
  readonly floods: Counter;
  readonly commandBytesInFlight: Gauge;
  readonly unreadBytes: Gauge;
  readonly #errors: Counter<'code'>;
  readonly jwksAgeSeconds: Gauge;
  readonly jwksFetches: Counter<'result'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.connections = new Gauge({ name: 'stentor_connections', help: 'Open connections.', registers });
    this.#connectionsOpened = new Counter({
      name: 'stentor_connections_opened_total',
      help: 'Connections opened.',
      registers,
    });
    this.#connectionsClosed = new Counter({
      name: 'stentor_connections_closed_total',
      help: 'Connections closed, by close code.',
      labelNames: ['code'],
      registers,
    });
    this.#connectsRefused = new Counter({
      name: 'stentor_connects_refused_total',
      help: 'Connects refused by a limit of connects or of an address, by the name of the setting.',
      labelNames: ['limit'],
      registers,
    });
    this.#messagesIn = new Counter({
      name: 'stentor_messages_in_total',
      help: 'Messages from clients, by type.',
      labelNames: ['type'],
      registers,
    });
    this.#bytesIn = new Counter({
      name: 'stentor_received_bytes_total',
      help: 'Bytes of messages from clients.',
      registers,
    });
    this.controlFramesIn = new Counter({
      name: 'stentor_control_frames_in_total',
      help: 'Pings and pongs from clients.',
      registers,
    });
    this.floods = new Counter({
      name: 'stentor_floods_total',
      help: 'Connections closed with 4009 because they sent more frames, bytes or commands than allowed.',
      registers,
    });
    this.commandBytesInFlight = new Gauge({
      name: 'stentor_command_bytes_in_flight',
      help: 'Bytes of unanswered commands.',
      registers,
    });
    this.unreadBytes = new Gauge({
      name: 'stentor_unread_bytes',
      help: 'Bytes of messages from clients that have not been read yet.',
      registers,
    });
    this.#errors = new Counter({
      name: 'stentor_errors_total',
      help: 'Errors sent to clients, by code.',
      labelNames: ['code'],
      registers,
    });
    this.jwksAgeSeconds = new Gauge({
      name: 'stentor_jwks_age_seconds',
      help: 'Seconds since the keys of auth.jwksUrl were last fetched; 0 if it is not set.',
      registers,
    });
    this.jwksFetches = new Counter({
      name: 'stentor_jwks_fetches_total',
      help: 'Fetches of auth.jwksUrl, by result: ok or failed.',
      labelNames: ['result'],
      registers,
    });
  }

  opened(): void {
    this.connections.inc();
    this.#connectionsOpened.inc();
  }

  closed(code: number): void {
    this.connections.dec();
    this.#connectionsClosed.inc({ code: COUNTED_CLOSE_CODES.has(code) ? String(code) : 'other' });
  }

  connectRefused(limit: string): void {
    this.#connectsRefused.inc({ limit });
  }

  messageIn(type: string): void {
    this.#messagesIn.inc({ type });
  }

  bytesIn(bytes: number): void {
    this.#bytesIn.inc(bytes);
  }

  error(code: ErrorCode): void {
    this.#errors.inc({ code });
  }

  async totals(): Promise<Pick<WorkerTotals, 'messagesIn' | 'errors' | 'closed'>> {
    const [messagesIn, errors, closed] = await Promise.all([
      sumBy(this.#messagesIn),
      sumBy(this.#errors, 'code'),
      sumBy(this.#connectionsClosed, 'code'),
    ]);
    return { messagesIn: messagesIn[''] ?? 0, errors, closed };
  }
}
