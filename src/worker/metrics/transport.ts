import { Counter, Gauge, type Registry } from 'prom-client';
import { sumBy } from '../../telemetry/sum-by.ts';
import type { GateMetrics } from '../../transport/gate.ts';
import type { HttpMetrics } from '../../transport/http-door.ts';
import type { UpgradeMetrics } from '../../transport/upgrade.ts';

/** Of connections before they are clients', and of requests over plain HTTP. */
export class TransportCounters implements GateMetrics, HttpMetrics, UpgradeMetrics {
  readonly connectionsMax: Gauge;
  readonly #upgradesRefused: Counter<'status'>;
  readonly #requests: Counter<'path' | 'status'>;
  readonly requestsInFlight: Gauge;
  readonly requestBytesInFlight: Gauge;
  readonly streams: Gauge;
  readonly handshakes: Gauge;
  readonly upgradesUnfinished: Counter;
  readonly handshakesRefused: Counter;
  readonly acceptPauses: Counter;
  readonly acceptPaused: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.connectionsMax = new Gauge({
      name: 'stentor_connections_max',
      help: 'Maximum number of connections; more are refused with 503.',
      registers,
    });
    this.#upgradesRefused = new Counter({
      name: 'stentor_upgrades_refused_total',
      help: 'Upgrade requests refused, by HTTP status.',
      labelNames: ['status'],
      registers,
    });
    this.#requests = new Counter({
      name: 'stentor_http_requests_total',
      help: 'Requests on the clients’ port that were answered without a connection, by path and HTTP status.',
      labelNames: ['path', 'status'],
      registers,
    });
    this.requestsInFlight = new Gauge({
      name: 'stentor_http_requests_in_flight',
      help: 'Such requests that are read or answered now, of tuning.http.requestsInFlightMax.',
      registers,
    });
    this.requestBytesInFlight = new Gauge({
      name: 'stentor_http_request_bytes_in_flight',
      help: 'Bytes of their bodies and answers, of tuning.http.requestBytesInFlightMax.',
      registers,
    });
    this.streams = new Gauge({
      name: 'stentor_event_streams',
      help: 'Open connections that are streams of events (GET /sse).',
      registers,
    });
    this.handshakes = new Gauge({
      name: 'stentor_handshakes',
      help: 'Connections that have been accepted and are not WebSockets yet.',
      registers,
    });
    this.upgradesUnfinished = new Counter({
      name: 'stentor_upgrades_unfinished_total',
      help: 'Connections that ended before a complete request: the client left, was too slow, or was refused by uWebSockets itself (400, 431, 505).',
      registers,
    });
    this.handshakesRefused = new Counter({
      name: 'stentor_handshakes_refused_total',
      help: 'Connections cut at once, because their address already had its maximum number of open handshakes.',
      registers,
    });
    this.acceptPauses = new Counter({
      name: 'stentor_accept_pauses_total',
      help: 'Times that the worker stopped listening, because of too many handshakes or too few descriptors.',
      registers,
    });
    this.acceptPaused = new Gauge({
      name: 'stentor_accept_paused',
      help: '1 while the worker has stopped listening for that reason.',
      registers,
    });
  }

  refused(status: string): void {
    this.#upgradesRefused.inc({ status: status.slice(0, 3) });
  }

  answered(path: string, status: number): void {
    this.#requests.inc({ path, status: String(status) });
  }

  /** Refused upgrades, by status. */
  refusedByStatus(): Promise<Record<string, number>> {
    return sumBy(this.#upgradesRefused, 'status');
  }
}
