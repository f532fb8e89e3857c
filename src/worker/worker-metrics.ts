import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Sent } from '../fanout/shard.ts';
import type { WorkerTotals } from '../link/messages.ts';
import { CLOSE_CODES } from '../protocol/close-codes.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { PUBLISH_TO_SOCKET_BOUNDS_MS } from '../telemetry/publish-to-socket-bounds.ts';
import { bucketCounts, sumBy } from '../telemetry/sum-by.ts';

/** Our own codes, and those of WebSocket stacks. Clients may send any code, and each would be a permanent time series. */
const COUNTED_CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, ...Object.values(CLOSE_CODES)]);

/** The metrics of a worker. The hub requests them for a scrape. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly connectionsMax = new Gauge({
    name: 'stentor_connections_max',
    help: 'Maximum number of connections; more are refused with 503.',
    registers: this.#registers,
  });
  readonly connections = new Gauge({ name: 'stentor_connections', help: 'Open connections.', registers: this.#registers });
  readonly subscriptions = new Gauge({
    name: 'stentor_subscriptions',
    help: 'Subscriptions of all connections.',
    registers: this.#registers,
  });
  readonly starting = new Gauge({
    name: 'stentor_subscriptions_starting',
    help: 'Subscriptions that are still receiving their initial items (a state, or what was missed), or a large item in parts.',
    registers: this.#registers,
  });
  readonly answerBytes = new Gauge({
    name: 'stentor_answer_bytes',
    help: "Maximum bytes of the hub's answers under way, of tuning.answers.answerBytesPerWorkerMax.",
    registers: this.#registers,
  });
  readonly answersWaiting = new Gauge({
    name: 'stentor_answers_waiting',
    help: 'Requests to the hub that wait until their answers fit, of tuning.answers.answersWaitingMax.',
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
  readonly #connectsRefused = new Counter({
    name: 'stentor_connects_refused_total',
    help: 'Connects refused by a limit of connects or of an address, by the name of the setting.',
    labelNames: ['limit'],
    registers: this.#registers,
  });
  readonly #requests = new Counter({
    name: 'stentor_http_requests_total',
    help: 'Requests on the clients’ port that were answered without a connection, by path and HTTP status.',
    labelNames: ['path', 'status'],
    registers: this.#registers,
  });
  readonly requestsInFlight = new Gauge({
    name: 'stentor_http_requests_in_flight',
    help: 'Such requests that are read or answered now, of tuning.http.requestsInFlightMax.',
    registers: this.#registers,
  });
  readonly requestBytesInFlight = new Gauge({
    name: 'stentor_http_request_bytes_in_flight',
    help: 'Bytes of their bodies and answers, of tuning.http.requestBytesInFlightMax.',
    registers: this.#registers,
  });
  readonly streams = new Gauge({
    name: 'stentor_event_streams',
    help: 'Open connections that are streams of events (GET /sse).',
    registers: this.#registers,
  });
  readonly handshakes = new Gauge({
    name: 'stentor_handshakes',
    help: 'Connections that have been accepted and are not WebSockets yet.',
    registers: this.#registers,
  });
  readonly upgradesUnfinished = new Counter({
    name: 'stentor_upgrades_unfinished_total',
    help: 'Connections that ended before a complete request: the client left, was too slow, or was refused by uWebSockets itself (400, 431, 505).',
    registers: this.#registers,
  });
  readonly handshakesRefused = new Counter({
    name: 'stentor_handshakes_refused_total',
    help: 'Connections cut at once, because their address already had its maximum number of open handshakes.',
    registers: this.#registers,
  });
  readonly acceptPauses = new Counter({
    name: 'stentor_accept_pauses_total',
    help: 'Times that the worker stopped listening, because of too many handshakes or too few descriptors.',
    registers: this.#registers,
  });
  readonly acceptPaused = new Gauge({
    name: 'stentor_accept_paused',
    help: '1 while the worker has stopped listening for that reason.',
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
    help: 'Bytes of unanswered commands.',
    registers: this.#registers,
  });
  readonly unreadBytes = new Gauge({
    name: 'stentor_unread_bytes',
    help: 'Bytes of messages from clients that have not been read yet.',
    registers: this.#registers,
  });
  readonly #errors = new Counter({
    name: 'stentor_errors_total',
    help: 'Errors sent to clients, by code.',
    labelNames: ['code'],
    registers: this.#registers,
  });
  readonly #sharesRefused = new Counter({
    name: 'stentor_shares_refused_total',
    help: 'Subscribes refused because the user, or the address, has its share (limits.sharePercentMax), of: topics, patterns or selections.',
    labelNames: ['of'],
    registers: this.#registers,
  });
  readonly jwksAgeSeconds = new Gauge({
    name: 'stentor_jwks_age_seconds',
    help: 'Seconds since the keys of auth.jwksUrl were last fetched; 0 if it is not set.',
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
    help: 'Publications that sockets accepted: items times members, including the catch-up of lagging connections.',
    registers: this.#registers,
  });
  readonly #framesOut = new Counter({
    name: 'stentor_frames_out_total',
    help: 'Batch frames that sockets accepted.',
    registers: this.#registers,
  });
  readonly #bytesOut = new Counter({
    name: 'stentor_sent_bytes_total',
    help: 'Bytes of batch frames that sockets accepted.',
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
  readonly topicQueued = new Counter({
    name: 'stentor_topic_queued_total',
    help: 'Times that publications from the hub waited, because members could not be served that fast.',
    registers: this.#registers,
  });
  readonly rejoined = new Counter({
    name: 'stentor_connections_rejoined_total',
    help: 'Times that a lagging connection caught up.',
    registers: this.#registers,
  });
  readonly closedSlow = new Counter({
    name: 'stentor_connections_too_slow_total',
    help: 'Lagging connections closed with 4103.',
    registers: this.#registers,
  });
  readonly skipped = new Counter({
    name: 'stentor_lagging_skipped_total',
    help: 'Publications that lagging connections did not get: conflated or skipped.',
    registers: this.#registers,
  });
  readonly #recoveries = new Counter({
    name: 'stentor_recoveries_total',
    help: 'Subscribes with a position, by who had the missed items: worker, hub (or the log behind it), or none (the client got the state instead).',
    labelNames: ['from'],
    registers: this.#registers,
  });
  readonly batchItems = new Histogram({
    name: 'stentor_batch_items',
    help: 'Publications of a topic that a group of connections receives at once.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers: this.#registers,
  });
  readonly publishToSocket = new Histogram({
    name: 'stentor_publish_to_socket_seconds',
    help: "Time from the bus' timestamp to the hand-over to uWebSockets for the last group, for the oldest publication of each batch.",
    buckets: PUBLISH_TO_SOCKET_BOUNDS_MS.map((ms) => ms / 1000),
    registers: this.#registers,
  });
  readonly eventToSocket = new Histogram({
    name: 'stentor_event_to_socket_seconds',
    help: "Time from the producer's event time to the hand-over to uWebSockets for the last group, for the oldest publication of each batch, if it has one.",
    buckets: PUBLISH_TO_SOCKET_BOUNDS_MS.map((ms) => ms / 1000),
    registers: this.#registers,
  });

  #pending = { frames: 0, bytes: 0, items: 0 };

  #deliveredItems = 0;

  /** @param index of the worker. It is a label, because counters that the hub added up would fall when a worker restarts. */
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

  connectRefused(limit: string): void {
    this.#connectsRefused.inc({ limit });
  }

  answered(path: string, status: number): void {
    this.#requests.inc({ path, status: String(status) });
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

  shareRefused(of: string): void {
    this.#sharesRefused.inc({ of });
  }

  /** For the operator's page: reads only these counters, because a scrape of the registry resets some metrics. */
  async totals(): Promise<WorkerTotals> {
    const [deliveries, sentBytes, messagesIn, errors, closed, refused, publishToSocket] = await Promise.all([
      sumBy(this.#deliveries),
      sumBy(this.#bytesOut),
      sumBy(this.#messagesIn),
      sumBy(this.#errors, 'code'),
      sumBy(this.#connectionsClosed, 'code'),
      sumBy(this.#upgradesRefused, 'status'),
      bucketCounts(this.publishToSocket),
    ]);
    return {
      deliveries: deliveries[''] ?? 0,
      sentBytes: sentBytes[''] ?? 0,
      messagesIn: messagesIn[''] ?? 0,
      errors,
      closed,
      refused,
      publishToSocket,
    };
  }

  /** The value of `stentor_deliveries_total`. */
  get deliveredItems(): number {
    return this.#deliveredItems;
  }

  /** These were sent to a shard. Counted when the turn has ended, because until then a socket may report that it {@link lost} them. */
  flushed(members: number, sent: Sent): void {
    this.#pending.frames += sent.frames * members;
    this.#pending.bytes += sent.bytes * members;
    this.#pending.items += sent.items * members;
  }

  /** One member of a shard did not get these. */
  lost({ frames, bytes, items }: Sent): void {
    this.#pending.frames -= frames;
    this.#pending.bytes -= bytes;
    this.#pending.items -= items;
  }

  /** These were sent to one connection only. */
  caughtUp({ frames, bytes, items }: Sent): void {
    this.#framesOut.inc(frames);
    this.#bytesOut.inc(bytes);
    this.#deliveries.inc(items);
    this.#deliveredItems += items;
  }

  turnEnded(): void {
    const { frames, bytes, items } = this.#pending;
    // Shards that were merged in this turn had not been sent the same: a loss may be counted too high.
    this.caughtUp({ frames: Math.max(0, frames), bytes: Math.max(0, bytes), items: Math.max(0, items) });
    this.#pending = { frames: 0, bytes: 0, items: 0 };
  }
}
