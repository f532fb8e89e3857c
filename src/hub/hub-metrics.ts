import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Bus, BusCounters, FaultCount } from '../bus/bus.ts';
import type { Logger } from '../telemetry/log.ts';
import { OnceASecond } from '../telemetry/once-a-second.ts';
import { sumBy } from '../telemetry/sum-by.ts';
import type { ImageOutcome } from './documents/image-writer.ts';
import type { HubTotals } from './figures.ts';

/** How the hub follows one namespace's log. */
export interface FollowerView {
  readonly namespace: string;
  /** Undefined: unknown at the moment. */
  lag(): Promise<number | undefined>;
  /** Topics that are asked for by name; undefined: the whole namespace is followed. */
  readonly filteredTopics: number | undefined;
}

const BUS_COUNTERS: readonly (readonly [keyof BusCounters, string, string])[] = [
  [
    'originsForged',
    'stentor_origins_forged_total',
    'Publications whose Stentor-User no node had signed, with nats.originSecrets. They are delivered without a user.',
  ],
  ['followerRestarts', 'stentor_follower_restarts_total', 'Times that following a log was resumed.'],
  ['publishRetries', 'stentor_publish_retries_total', 'Durable publishes sent to the log again.'],
];

// The label for the namespace of a topic is `topic_namespace`: on Kubernetes, Prometheus uses `namespace` itself and would rename ours.

/** A lag that cannot be read is left out of the answer. An old value would look like a follower that keeps up. */
function setUnlessUnknown(gauge: Gauge<'topic_namespace'>, namespace: string, lag: number | undefined): void {
  if (lag === undefined) gauge.remove({ topic_namespace: namespace });
  else gauge.set({ topic_namespace: namespace }, lag);
}

/** The hub's own metrics. Workers have theirs, and the admin listener serves both. */
export class HubMetrics {
  readonly workerRestarts: Counter;
  readonly topics: Gauge;
  readonly busConnected: Gauge;
  readonly resyncs: Counter<'topic_namespace'>;
  readonly logReads: Counter<'kind'>;
  readonly cacheReads: Counter<'outcome'>;
  readonly publishesInFlight: Gauge;
  readonly callsInFlight: Gauge;
  readonly publishAck: Histogram<'outcome'>;
  readonly workers: Gauge;
  /** By namespace. */
  readonly #publicationsIn = new Map<string, number>();
  readonly #skipped: Counter<'reason'>;
  readonly #images: Counter<'outcome'>;
  readonly #skippedLog: OnceASecond;
  readonly #imageLog: OnceASecond;
  #faults: () => Iterable<FaultCount> = () => [];

  constructor(registry: Registry, logger: Logger) {
    this.#skippedLog = new OnceASecond(logger, 'publication skipped');
    this.#imageLog = new OnceASecond(logger, 'image of a document not stored or not used');
    const registers = [registry];
    const publicationsIn = this.#publicationsIn;
    new Counter({
      name: 'stentor_publications_in_total',
      help: 'Publications from the bus.',
      labelNames: ['topic_namespace'],
      registers,
      collect() {
        this.reset();
        for (const [namespace, count] of publicationsIn) this.inc({ topic_namespace: namespace }, count);
      },
    });
    this.#skipped = new Counter({
      name: 'stentor_publications_skipped_total',
      help: 'Publications of producers that were skipped, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#images = new Counter({
      name: 'stentor_document_images_total',
      help: 'Images of documents, by outcome: stored; superseded (another node stored one first); failed; too_large (for a NATS message); skipped (too many when topics closed); other_bounds (one in the log was not used, because its node had other bounds of documents).',
      labelNames: ['outcome'],
      registers,
    });
    this.workerRestarts = new Counter({
      name: 'stentor_worker_restarts_total',
      help: 'Workers that exited unexpectedly and were restarted.',
      registers,
    });
    this.topics = new Gauge({ name: 'stentor_topics', help: 'Topics open on this node.', registers });
    this.busConnected = new Gauge({ name: 'stentor_bus_connected', help: '1 while the bus is connected.', registers });
    this.resyncs = new Counter({
      name: 'stentor_topics_resynced_total',
      help: 'Times that a topic was reset because its log was reset, or this node had missed a part of it.',
      labelNames: ['topic_namespace'],
      registers,
    });
    this.logReads = new Counter({
      name: 'stentor_log_reads_total',
      help: 'Reads of a log for clients, by kind: recovery, history, last, snapshot.',
      labelNames: ['kind'],
      registers,
    });
    this.cacheReads = new Counter({
      name: 'stentor_hub_cache_reads_total',
      help: "Reads of a topic's past, by whether the hub's cache could answer (hit) or not (miss).",
      labelNames: ['outcome'],
      registers,
    });
    this.publishesInFlight = new Gauge({ name: 'stentor_publishes_in_flight', help: 'Client publishes waiting for the log.', registers });
    this.callsInFlight = new Gauge({ name: 'stentor_calls_in_flight', help: 'Client calls waiting for a responder.', registers });
    this.publishAck = new Histogram({
      name: 'stentor_publish_ack_seconds',
      help: "Time from the arrival of a client's publish at the hub to the log's answer.",
      labelNames: ['outcome'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    });
    this.workers = new Gauge({ name: 'stentor_workers', help: 'Running workers.', registers });
  }

  /** Values that are kept elsewhere and read at a scrape. */
  watch(bus: Bus, followers: () => Iterable<FollowerView>, registry: Registry): void {
    const registers = [registry];
    for (const [field, name, help] of BUS_COUNTERS) {
      let counted = 0;
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.inc(bus.counters[field] - counted);
          counted = bus.counters[field];
        },
      });
    }
    this.#faults = () => bus.faults();
    new Counter({
      name: 'stentor_bus_messages_skipped_total',
      help: "Producers' messages that are not valid publications, by reason: wrong_depth, bad_token, key_mismatch.",
      labelNames: ['topic_namespace', 'reason'],
      registers,
      collect() {
        this.reset();
        for (const { namespace, fault, messages } of bus.faults()) this.inc({ topic_namespace: namespace, reason: fault }, messages);
      },
    });
    new Gauge({
      name: 'stentor_follower_filtered_topics',
      help: 'Topics of a namespace that this node asks NATS for by name; 0: it follows the whole namespace.',
      labelNames: ['topic_namespace'],
      registers,
      collect() {
        this.reset();
        for (const { namespace, filteredTopics = 0 } of followers()) this.set({ topic_namespace: namespace }, filteredTopics);
      },
    });
    new Gauge({
      name: 'stentor_follower_lag_publications',
      help: "Publications between this node's follower and the end of the namespace's log.",
      labelNames: ['topic_namespace'],
      registers,
      async collect() {
        await Promise.all(Array.from(followers(), async ({ namespace, lag }) => setUnlessUnknown(this, namespace, await lag())));
      },
    });
  }

  /** Called for each publication, so it must be cheap. */
  publicationIn(namespace: string): void {
    this.#publicationsIn.set(namespace, (this.#publicationsIn.get(namespace) ?? 0) + 1);
  }

  /** Publications from the bus, of all namespaces. */
  get publicationsIn(): number {
    let sum = 0;
    for (const count of this.#publicationsIn.values()) sum += count;
    return sum;
  }

  /** For the operator's page. */
  async totals(): Promise<Omit<HubTotals, 'topics' | 'process'>> {
    const all = await sumBy(this.#skipped, 'reason');
    for (const { fault, messages } of this.#faults()) all[fault] = (all[fault] ?? 0) + messages;
    return { publicationsIn: this.publicationsIn, skipped: all };
  }

  /** Counts an invalid publication of a producer, and logs at most one a second. */
  skipped(reason: 'malformed' | 'too_big' | 'document_too_large', topic: string, detail: string): void {
    this.#skipped.inc({ reason });
    this.#skippedLog.warn({ topic, reason, detail });
  }

  /** Counts what happens with images of documents. With a detail, the operator is told. */
  image(outcome: ImageOutcome, topic: string, detail?: string): void {
    this.#images.inc({ outcome });
    if (detail !== undefined) this.#imageLog.warn({ topic, outcome, detail });
  }
}
