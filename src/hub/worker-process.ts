import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { workerEnvironment } from '../config/worker-config.ts';
import type { HubEnd } from '../link/link.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';
import { SocketLink } from '../link/socket.ts';

/**
 * V8's young generation grows to 48 MiB on its own. A worker makes little garbage, and the memory is better spent on connections:
 * 10,000 idle ones took 2,930 B of user-space memory each without this, 1,150 B with it.
 *
 * Its old generation may grow to four times of what lived at the last collection. Half as much again is enough: after 320,000 subscriptions at once a
 * subscription takes 558 B instead of 936, at the same CPU (18.1 and 18.3 µs a delivery; W1 2.58 and 2.53 µs).
 */
const WORKER_FLAGS = ['--max-semi-space-size=4', '--heap-growing-percent=50'];

export interface WorkerProcess {
  readonly pid: number;
  readonly link: HubEnd;
  /** Kills the process immediately. */
  kill(): void;
}

/** How a worker ended, or why it could not be started. */
export type WorkerEnd = { readonly exitCode: number | null; readonly signal: string | null } | { readonly err: Error };

export interface WorkerProcessEvents {
  /** Called once, after {@link StartWorker} has returned. */
  onEnded(end: WorkerEnd): void;
}

/** Starts a worker process. @returns undefined when it cannot be started; `onEnded` says why */
export type StartWorker = (events: WorkerProcessEvents) => WorkerProcess | undefined;

/**
 * Worker processes of this machine. The link is a socket pair on the child's descriptor 3, so when the hub dies its workers see the end of it.
 * @param entryFile the script that a worker process runs
 */
export function workerProcesses(entryFile: string, linkBatchMs: number): StartWorker {
  return ({ onEnded }) => {
    const child = spawn(process.execPath, [...process.execArgv, ...WORKER_FLAGS, entryFile], {
      env: workerEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    if (child.pid === undefined) {
      // Too many processes or descriptors, for example: 'error' comes, 'exit' does not, and there may be no link.
      child.once('error', (err) => onEnded({ err }));
      return undefined;
    }
    // A signal that cannot be sent: 'exit' comes, or has come.
    child.on('error', () => undefined);
    child.once('exit', (exitCode, signal) => onEnded({ exitCode, signal }));
    const link = new SocketLink<ToWorker, ToHub>(child.stdio[3] as Socket, linkBatchMs);
    return { pid: child.pid, link, kill: () => void child.kill('SIGKILL') };
  };
}
