import type { Bus } from '../../src/bus/bus.ts';
import type { Log } from '../../src/bus/log.ts';

/** A bus that is always connected, has these logs, and tells nothing to other nodes. */
export function busOfLogs(log: (namespace: string) => Log): Bus {
  const bus = {
    kind: 'memory',
    connected: true,
    counters: {},
    onConnectedChange: () => () => undefined,
    announce: () => undefined,
    onAnnouncement: () => () => undefined,
    onRequest: () => () => undefined,
    log,
  };
  return bus as unknown as Bus;
}
