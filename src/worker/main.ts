import type { ToHub, ToWorker } from '../link/messages.ts';
import { SocketLink } from '../link/socket.ts';
import { createLogger } from '../telemetry/log.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import { Worker } from './worker.ts';

/**
 * A worker process. Its link to the hub is descriptor 3, and it runs as long as the link exists. It is built into one file, because a killed worker must be
 * back soon: its 780 modules take 0.6 s to load on an idle core, the one file 0.2 s.
 */
const LINK_DESCRIPTOR = 3;

const link = new SocketLink<ToHub, ToWorker>(LINK_DESCRIPTOR);
let worker: Promise<Worker> | undefined;
/** Set once it runs: from then on messages go directly to it. */
let running: Worker | undefined;

link.onMessages((messages) => {
  if (running !== undefined) return running.receive(messages);
  const [first] = messages;
  if (worker === undefined && first?.kind === 'welcome') {
    const logger = createLogger({ ...first.config.log, bindings: { nodeId: first.nodeId, worker: first.workerIndex } });
    worker = Worker.create(first, link, logger);
    void worker.then(
      (started) => {
        running = started;
        registerProcessMetrics(started.metricsRegistry, 'worker', started.loopLag);
      },
      () => undefined,
    );
    worker.catch((error: Error & { code?: string }) => {
      link.send({ kind: 'startFailed', code: error.code ?? 'worker_failed', message: error.message });
      setImmediate(() => process.exit(1));
    });
  }
  void worker?.then(
    (started) => started.receive(messages),
    () => undefined,
  );
});

link.onClose(() => {
  void (worker ?? Promise.resolve(undefined))
    .then((started) => started?.drain())
    .catch(() => undefined)
    .finally(() => process.exit(0));
});

// The hub decides when a worker ends; a Ctrl-C reaches the whole process group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
