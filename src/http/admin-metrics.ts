import { Counter, Gauge, type Registry } from 'prom-client';
import type { Full } from './api/places.ts';

export interface AdminFigures {
  readonly connections: number;
  readonly requests: number;
  readonly bodyBytes: number;
}

/** What the admin port says of itself. */
export class AdminMetrics {
  readonly #refused: Counter<'setting'>;
  readonly #cut: Counter;

  constructor(registry: Registry, figures: () => AdminFigures) {
    const registers = [registry];
    this.#refused = new Counter({
      name: 'stentor_admin_requests_refused_total',
      help: 'Requests of the HTTP API that got busy, by the setting whose bound was reached.',
      labelNames: ['setting'],
      registers,
    });
    this.#cut = new Counter({
      name: 'stentor_admin_connections_cut_total',
      help: 'Connections of the admin port that were cut because there were too many.',
      registers,
    });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge('stentor_admin_requests_in_flight', 'Requests of the HTTP API that are read or answered now.', () => figures().requests);
    gauge('stentor_admin_body_bytes', 'Bytes of their bodies and answers.', () => figures().bodyBytes);
    gauge('stentor_admin_connections', 'Open connections of the admin port.', () => figures().connections);
  }

  refused(setting: Full): void {
    this.#refused.inc({ setting });
  }

  cut(): void {
    this.#cut.inc();
  }
}
