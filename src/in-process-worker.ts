import type { StartWorker } from './hub/worker-process.ts';
import { createInProcessLink } from './link/in-process.ts';
import type { Logger } from './telemetry/log.ts';
import { Worker } from './worker/worker.ts';

/** Workers in this process, for `workers: 0`. The supervisor starts and ends them like processes. */
export function inProcessWorkers(logger: Logger): StartWorker {
  return ({ onEnded }) => {
    const { hubEnd, workerEnd } = createInProcessLink();
    let worker: Promise<Worker> | undefined;
    /** Set once it runs: from then on messages go directly to it. */
    let running: Worker | undefined;
    const then = (act: (started: Worker) => void) =>
      worker?.then(act, () => undefined /* It has failed, and has said so. */) ?? Promise.resolve();
    workerEnd.onMessages((messages) => {
      if (running !== undefined) return running.receive(messages);
      const [first] = messages;
      if (worker === undefined && first?.kind === 'welcome') {
        worker = Worker.create(first, workerEnd, logger);
        worker.then(
          (started) => {
            running = started;
          },
          (error: Error & { code?: string }) =>
            workerEnd.send({ kind: 'startFailed', code: error.code ?? 'worker_failed', message: error.message }),
        );
      }
      void then((started) => started.receive(messages));
    });
    workerEnd.onClose(() => void then((started) => started.stop()).then(() => onEnded({ exitCode: 0, signal: null })));
    return { pid: process.pid, link: hubEnd, kill: () => hubEnd.close() };
  };
}
