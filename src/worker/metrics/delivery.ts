import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { DeliveryMetrics } from '../../delivery/metrics.ts';
import type { Sent } from '../../fanout/shard.ts';
import type { WorkerTotals } from '../../link/reports.ts';
import { PUBLISH_TO_SOCKET_BOUNDS_MS } from '../../telemetry/publish-to-socket-bounds.ts';
import { bucketCounts, sumBy } from '../../telemetry/sum-by.ts';

/** Of publications on their way to clients. */
export class DeliveryCounters implements DeliveryMetrics {
  readonly subscriptions: Gauge;
  readonly starting: Gauge;
  readonly answerBytes: Gauge;
  readonly answersWaiting: Gauge;
  readonly #sharesRefused: Counter<'of'>;
  readonly #deliveries: Counter;
  readonly #framesOut: Counter;
  readonly #bytesOut: Counter;
  readonly lagging: Gauge;
  readonly laggedTotal: Counter;
  readonly topicQueued: Counter;
  readonly rejoined: Counter;
  readonly closedSlow: Counter;
  readonly skipped: Counter;
  readonly #recoveries: Counter<'from'>;
  readonly batchItems: Histogram;
  readonly publishToSocket: Histogram;
  readonly eventToSocket: Histogram;
  #pending = { frames: 0, bytes: 0, items: 0 };
  #deliveredItems = 0;

  constructor(registry: Registry) {
    const registers = [registry];
    this.subscriptions = new Gauge({
      name: 'stentor_subscriptions',
      help: 'Subscriptions of all connections.',
      registers,
    });
    this.starting = new Gauge({
      name: 'stentor_subscriptions_starting',
      help: 'Subscriptions that are still receiving their initial items (a state, or what was missed), or a large item in parts.',
      registers,
    });
    this.answerBytes = new Gauge({
      name: 'stentor_answer_bytes',
      help: "Maximum bytes of the hub's answers under way, of tuning.answers.answerBytesPerWorkerMax.",
      registers,
    });
    this.answersWaiting = new Gauge({
      name: 'stentor_answers_waiting',
      help: 'Requests to the hub that wait until their answers fit, of tuning.answers.answersWaitingMax.',
      registers,
    });
    this.#sharesRefused = new Counter({
      name: 'stentor_shares_refused_total',
      help: 'Subscribes refused because the user, or the address, has its share (limits.sharePercentMax), of: topics, patterns or selections.',
      labelNames: ['of'],
      registers,
    });
    this.#deliveries = new Counter({
      name: 'stentor_deliveries_total',
      help: 'Publications that sockets accepted: items times members, including the catch-up of lagging connections.',
      registers,
    });
    this.#framesOut = new Counter({
      name: 'stentor_frames_out_total',
      help: 'Batch frames that sockets accepted.',
      registers,
    });
    this.#bytesOut = new Counter({
      name: 'stentor_sent_bytes_total',
      help: 'Bytes of batch frames that sockets accepted.',
      registers,
    });
    this.lagging = new Gauge({
      name: 'stentor_connections_lagging',
      help: 'Connections whose socket does not keep up now.',
      registers,
    });
    this.laggedTotal = new Counter({
      name: 'stentor_connections_lagged_total',
      help: 'Times that a connection fell behind and left the fast path.',
      registers,
    });
    this.topicQueued = new Counter({
      name: 'stentor_topic_queued_total',
      help: 'Times that publications from the hub waited, because members could not be served that fast.',
      registers,
    });
    this.rejoined = new Counter({
      name: 'stentor_connections_rejoined_total',
      help: 'Times that a lagging connection caught up.',
      registers,
    });
    this.closedSlow = new Counter({
      name: 'stentor_connections_too_slow_total',
      help: 'Connections closed with 4103.',
      registers,
    });
    this.skipped = new Counter({
      name: 'stentor_lagging_skipped_total',
      help: 'Publications that lagging connections did not get: conflated or skipped.',
      registers,
    });
    this.#recoveries = new Counter({
      name: 'stentor_recoveries_total',
      help: 'Subscribes with a position, by who had the missed items: worker, hub (or the log behind it), or none (the client got the state instead).',
      labelNames: ['from'],
      registers,
    });
    this.batchItems = new Histogram({
      name: 'stentor_batch_items',
      help: 'Publications of a topic that a group of connections receives at once.',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
      registers,
    });
    this.publishToSocket = new Histogram({
      name: 'stentor_publish_to_socket_seconds',
      help: "Time from the bus' timestamp to the hand-over to uWebSockets for the last group, for the oldest publication of each batch.",
      buckets: PUBLISH_TO_SOCKET_BOUNDS_MS.map((ms) => ms / 1000),
      registers,
    });
    this.eventToSocket = new Histogram({
      name: 'stentor_event_to_socket_seconds',
      help: "Time from the producer's event time to the hand-over to uWebSockets for the last group, for the oldest publication of each batch, if it has one.",
      buckets: PUBLISH_TO_SOCKET_BOUNDS_MS.map((ms) => ms / 1000),
      registers,
    });
  }

  recovery(from: 'worker' | 'hub' | 'none'): void {
    this.#recoveries.inc({ from });
  }

  shareRefused(of: string): void {
    this.#sharesRefused.inc({ of });
  }

  async totals(): Promise<Pick<WorkerTotals, 'deliveries' | 'sentBytes' | 'publishToSocket'>> {
    const [deliveries, sentBytes, publishToSocket] = await Promise.all([
      sumBy(this.#deliveries),
      sumBy(this.#bytesOut),
      bucketCounts(this.publishToSocket),
    ]);
    return { deliveries: deliveries[''] ?? 0, sentBytes: sentBytes[''] ?? 0, publishToSocket };
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
