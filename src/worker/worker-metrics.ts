import { Registry } from 'prom-client';
import type { WorkerTotals } from '../link/reports.ts';
import { DeliveryCounters } from './metrics/delivery.ts';
import { SessionCounters } from './metrics/session.ts';
import { TransportCounters } from './metrics/transport.ts';

/** The metrics of a worker, by what they are about. The hub requests them for a scrape. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly transport = new TransportCounters(this.registry);
  readonly session = new SessionCounters(this.registry);
  readonly delivery = new DeliveryCounters(this.registry);

  /** @param index of the worker. It is a label, because counters that the hub added up would fall when a worker restarts. */
  constructor(index: number) {
    this.registry.setDefaultLabels({ worker: String(index) });
  }

  /** For the operator's page: reads only some counters, because a scrape of the registry resets some metrics. */
  async totals(): Promise<WorkerTotals> {
    const [delivery, session, refused] = await Promise.all([
      this.delivery.totals(),
      this.session.totals(),
      this.transport.refusedByStatus(),
    ]);
    return { ...delivery, ...session, refused };
  }
}
