import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface SanitizerWatch {
  /** How long one publication took. */
  cleaned(outcome: 'unchanged' | 'changed' | 'refused', durationMs: number): void;
  refused(code: string): void;
  /** What waits now. */
  waiting(count: number, bytes: number): void;
}

/** What the sanitizer does. It exists only where a namespace sanitizes. */
export class SanitizerMetrics implements SanitizerWatch {
  readonly #seconds: Histogram<'outcome'>;
  readonly #refused: Counter<'code'>;
  readonly #waiting: Gauge;
  readonly #waitingBytes: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#seconds = new Histogram({
      name: 'stentor_sanitize_seconds',
      help: 'Time that cleaning a publication took, by outcome: unchanged, changed, refused.',
      labelNames: ['outcome'],
      buckets: [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05],
      registers,
    });
    this.#refused = new Counter({
      name: 'stentor_sanitize_refused_total',
      help: 'Publications of clients that the sanitizer refused, by error code.',
      labelNames: ['code'],
      registers,
    });
    this.#waiting = new Gauge({ name: 'stentor_sanitize_waiting', help: 'Publications of clients that wait to be sanitized.', registers });
    this.#waitingBytes = new Gauge({ name: 'stentor_sanitize_waiting_bytes', help: 'Bytes of their data.', registers });
  }

  cleaned(outcome: 'unchanged' | 'changed' | 'refused', durationMs: number): void {
    this.#seconds.observe({ outcome }, durationMs / 1000);
  }

  refused(code: string): void {
    this.#refused.inc({ code });
  }

  waiting(count: number, bytes: number): void {
    this.#waiting.set(count);
    this.#waitingBytes.set(bytes);
  }
}
