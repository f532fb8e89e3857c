import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from '../ops/log.ts';

/** The hub's own figures; workers have theirs, and the admin listener shows both together. */
export class HubMetrics {
  readonly publicationsIn: Counter<'namespace'>;
  readonly workerRestarts: Counter;
  readonly topics: Gauge;
  readonly busConnected: Gauge;
  readonly publishesInFlight: Gauge;
  readonly #skipped: Counter<'reason'>;
  readonly #logger: Logger;
  #lastSkipLogAtMs = 0;
  #skippedSinceLog = 0;

  constructor(registry: Registry, logger: Logger) {
    this.#logger = logger;
    const registers = [registry];
    this.publicationsIn = new Counter({
      name: 'stentor_publications_in_total',
      help: 'Publications that reached the hub from the bus.',
      labelNames: ['namespace'],
      registers,
    });
    this.#skipped = new Counter({
      name: 'stentor_publications_skipped_total',
      help: 'Publications of producers that were skipped, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.workerRestarts = new Counter({
      name: 'stentor_worker_restarts_total',
      help: 'Workers that ended unasked and were started again.',
      registers,
    });
    this.topics = new Gauge({ name: 'stentor_topics', help: 'Topics open on this node.', registers });
    this.busConnected = new Gauge({ name: 'stentor_bus_connected', help: '1 while the bus is connected.', registers });
    this.publishesInFlight = new Gauge({ name: 'stentor_publishes_in_flight', help: 'Client publishes waiting for the log.', registers });
  }

  /** Counts a producer's bad publication, and logs it at most once a second. */
  skipped(reason: 'malformed' | 'too_big', topic: string, detail: string): void {
    this.#skipped.inc({ reason });
    this.#skippedSinceLog++;
    const nowMs = Date.now();
    if (nowMs - this.#lastSkipLogAtMs < 1000) return;
    this.#logger.warn({ topic, reason, detail, count: this.#skippedSinceLog }, 'publication skipped');
    this.#lastSkipLogAtMs = nowMs;
    this.#skippedSinceLog = 0;
  }
}
