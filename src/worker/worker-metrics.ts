import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Sent } from '../fanout/shard.ts';
import type { WorkerTotals } from '../link/messages.ts';
import { CLOSE_CODES } from '../protocol/close-codes.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { sumBy } from '../telemetry/sum-by.ts';

/** Ours, and what WebSocket stacks send. Clients may send any code: each would be a time series for good. */
const COUNTED_CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, ...Object.values(CLOSE_CODES)]);

/** What a worker counts. The hub asks for it when somebody scrapes, and adds the workers up. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly connectionsMax = new Gauge({
    name: 'stentor_connections_max',
    help: 'Connections that this node takes; more are refused with 503.',
    registers: this.#registers,
  });
  readonly connections = new Gauge({ name: 'stentor_connections', help: 'Open connections.', registers: this.#registers });
  readonly subscriptions = new Gauge({
    name: 'stentor_subscriptions',
    help: 'Topics that connections are subscribed to, added up.',
    registers: this.#registers,
  });
  readonly starting = new Gauge({
    name: 'stentor_subscriptions_starting',
    help: 'Subscriptions that are still being given what their streams start with: a state, or what was missed.',
    registers: this.#registers,
  });
  readonly answerBytes = new Gauge({
    name: 'stentor_answer_bytes',
    help: 'Bytes that answers of the hub under way may bring, of tuning.answers.answerBytesPerWorkerMax.',
    registers: this.#registers,
  });
  readonly answersWaiting = new Gauge({
    name: 'stentor_answers_waiting',
    help: 'Questions to the hub that wait until their answers fit, of tuning.answers.answersWaitingMax.',
    registers: this.#registers,
  });
  readonly #connectionsOpened = new Counter({
    name: 'stentor_connections_opened_total',
    help: 'Connections opened.',
    registers: this.#registers,
  });
  readonly #connectionsClosed = new Counter({
    name: 'stentor_connections_closed_total',
    help: 'Connections closed, by close code.',
    labelNames: ['code'],
    registers: this.#registers,
  });
  readonly #upgradesRefused = new Counter({
    name: 'stentor_upgrades_refused_total',
    help: 'Upgrade requests refused, by HTTP status.',
    labelNames: ['status'],
    registers: this.#registers,
  });
  readonly handshakes = new Gauge({
    name: 'stentor_handshakes',
    help: 'Connections that have been accepted and are not WebSockets yet.',
    registers: this.#registers,
  });
  readonly upgradesUnfinished = new Counter({
    name: 'stentor_upgrades_unfinished_total',
    help: 'Connections that ended before they had made a whole request: gone, too slow, or refused by uWebSockets itself (400, 431, 505).',
    registers: this.#registers,
  });
  readonly handshakesRefused = new Counter({
    name: 'stentor_handshakes_refused_total',
    help: 'Connections cut at once, because their address had as many handshakes open as one may.',
    registers: this.#registers,
  });
  readonly acceptPauses = new Counter({
    name: 'stentor_accept_pauses_total',
    help: 'Times that the worker stopped listening, because of too many handshakes or too few descriptors.',
    registers: this.#registers,
  });
  readonly acceptPaused = new Gauge({
    name: 'stentor_accept_paused',
    help: '1 while the worker does not listen for that.',
    registers: this.#registers,
  });
  readonly #messagesIn = new Counter({
    name: 'stentor_messages_in_total',
    help: 'Messages from clients, by type.',
    labelNames: ['type'],
    registers: this.#registers,
  });
  readonly #bytesIn = new Counter({
    name: 'stentor_received_bytes_total',
    help: 'Bytes of messages from clients.',
    registers: this.#registers,
  });
  readonly controlFramesIn = new Counter({
    name: 'stentor_control_frames_in_total',
    help: 'Pings and pongs from clients.',
    registers: this.#registers,
  });
  readonly floods = new Counter({
    name: 'stentor_floods_total',
    help: 'Connections closed with 4009 because they sent more frames, bytes or commands than allowed.',
    registers: this.#registers,
  });
  readonly commandBytesInFlight = new Gauge({
    name: 'stentor_command_bytes_in_flight',
    help: 'Bytes of commands that are not answered yet.',
    registers: this.#registers,
  });
  readonly unreadBytes = new Gauge({
    name: 'stentor_unread_bytes',
    help: 'Bytes of messages from clients that wait until the loop has time for them.',
    registers: this.#registers,
  });
  readonly #errors = new Counter({
    name: 'stentor_errors_total',
    help: 'Errors sent to clients, by code.',
    labelNames: ['code'],
    registers: this.#registers,
  });
  readonly jwksAgeSeconds = new Gauge({
    name: 'stentor_jwks_age_seconds',
    help: 'Since the keys of auth.jwksUrl were last fetched; 0 without one.',
    registers: this.#registers,
  });
  readonly jwksFetches = new Counter({
    name: 'stentor_jwks_fetches_total',
    help: 'Fetches of auth.jwksUrl, by result: ok or failed.',
    labelNames: ['result'],
    registers: this.#registers,
  });
  readonly #deliveries = new Counter({
    name: 'stentor_deliveries_total',
    help: 'Publications handed to sockets that took them: items times members, and what lagging connections are caught up with.',
    registers: this.#registers,
  });
  readonly #framesOut = new Counter({
    name: 'stentor_frames_out_total',
    help: 'Batch frames handed to sockets that took them.',
    registers: this.#registers,
  });
  readonly #bytesOut = new Counter({
    name: 'stentor_sent_bytes_total',
    help: 'Bytes of batch frames handed to sockets that took them.',
    registers: this.#registers,
  });
  readonly lagging = new Gauge({
    name: 'stentor_connections_lagging',
    help: 'Connections whose socket does not keep up now.',
    registers: this.#registers,
  });
  readonly laggedTotal = new Counter({
    name: 'stentor_connections_lagged_total',
    help: 'Times that a connection fell behind and left the fast path.',
    registers: this.#registers,
  });
  readonly holds = new Counter({
    name: 'stentor_holds_total',
    help: 'Times that publications from the hub waited, because members could not be given them so fast.',
    registers: this.#registers,
  });
  readonly rejoined = new Counter({
    name: 'stentor_connections_rejoined_total',
    help: 'Times that a lagging connection had caught up.',
    registers: this.#registers,
  });
  readonly closedSlow = new Counter({
    name: 'stentor_connections_too_slow_total',
    help: 'Lagging connections closed with 4103.',
    registers: this.#registers,
  });
  readonly skipped = new Counter({
    name: 'stentor_lagging_skipped_total',
    help: 'Publications that lagging connections were not given: conflated or skipped.',
    registers: this.#registers,
  });
  readonly #recoveries = new Counter({
    name: 'stentor_recoveries_total',
    help: 'Subscribes with a position, by who had what was missed: worker, hub (or the log behind it), or none (the client got the state instead).',
    labelNames: ['from'],
    registers: this.#registers,
  });
  readonly batchItems = new Histogram({
    name: 'stentor_batch_items',
    help: 'Publications of a topic in what a group is given at once.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers: this.#registers,
  });
  readonly publishToSocket = new Histogram({
    name: 'stentor_publish_to_socket_seconds',
    help: 'From the bus taking a publication to its frame being handed to uWebSockets for the last group, the oldest of each batch.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: this.#registers,
  });

  #pending = { frames: 0, bytes: 0, items: 0 };

  /** @param index of the worker. A label, since counters that the hub added up would fall when a worker is started again. */
  constructor(index: number) {
    this.registry.setDefaultLabels({ worker: String(index) });
  }

  opened(): void {
    this.connections.inc();
    this.#connectionsOpened.inc();
  }

  closed(code: number): void {
    this.connections.dec();
    this.#connectionsClosed.inc({ code: COUNTED_CLOSE_CODES.has(code) ? String(code) : 'other' });
  }

  refused(status: string): void {
    this.#upgradesRefused.inc({ status: status.slice(0, 3) });
  }

  messageIn(type: string): void {
    this.#messagesIn.inc({ type });
  }

  bytesIn(bytes: number): void {
    this.#bytesIn.inc(bytes);
  }

  recovery(from: 'worker' | 'hub' | 'none'): void {
    this.#recoveries.inc({ from });
  }

  error(code: ErrorCode): void {
    this.#errors.inc({ code });
  }

  /** For the operator's page: asks these counters only, since a scrape of the registry starts some of its figures anew. */
  async totals(): Promise<WorkerTotals> {
    const [deliveries, sentBytes, messagesIn, errors, closed, refused] = await Promise.all([
      sumBy(this.#deliveries),
      sumBy(this.#bytesOut),
      sumBy(this.#messagesIn),
      sumBy(this.#errors, 'code'),
      sumBy(this.#connectionsClosed, 'code'),
      sumBy(this.#upgradesRefused, 'status'),
    ]);
    return {
      deliveries: deliveries[''] ?? 0,
      sentBytes: sentBytes[''] ?? 0,
      messagesIn: messagesIn[''] ?? 0,
      errors,
      closed,
      refused,
    };
  }

  /** A shard was given this. Counted when the turn has ended: until then a socket may report that it {@link lost} it. */
  flushed(members: number, sent: Sent): void {
    this.#pending.frames += sent.frames * members;
    this.#pending.bytes += sent.bytes * members;
    this.#pending.items += sent.items * members;
  }

  /** One member of a shard was not given this after all. */
  lost({ frames, bytes, items }: Sent): void {
    this.#pending.frames -= frames;
    this.#pending.bytes -= bytes;
    this.#pending.items -= items;
  }

  /** One connection was given this by itself. */
  caughtUp({ frames, bytes, items }: Sent): void {
    this.#framesOut.inc(frames);
    this.#bytesOut.inc(bytes);
    this.#deliveries.inc(items);
  }

  turnEnded(): void {
    const { frames, bytes, items } = this.#pending;
    // Shards that were joined in this turn had not been given the same: a loss may be put too high.
    this.caughtUp({ frames: Math.max(0, frames), bytes: Math.max(0, bytes), items: Math.max(0, items) });
    this.#pending = { frames: 0, bytes: 0, items: 0 };
  }
}
