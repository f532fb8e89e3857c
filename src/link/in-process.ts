import type { HubEnd, Link, WorkerEnd } from './link.ts';
import type { ToHub, ToWorker } from './messages.ts';

/** A link without a socket: for `workers: 0`. Batches are handed over at the end of the loop turn, as a socket would. */
export function createInProcessLink(): { hubEnd: HubEnd; workerEnd: WorkerEnd } {
  const hubEnd = new InProcessEnd<ToWorker, ToHub>();
  const workerEnd = new InProcessEnd<ToHub, ToWorker>();
  hubEnd.peer = workerEnd;
  workerEnd.peer = hubEnd;
  return { hubEnd, workerEnd };
}

class InProcessEnd<Out, In> implements Link<Out, In> {
  peer: InProcessEnd<In, Out> | undefined;
  readonly queuedBytes = 0;
  #outbox: Out[] = [];
  #listener: ((messages: readonly In[]) => void) | undefined;
  #closeListeners: ((reason: string) => void)[] = [];
  #closed = false;
  /** What came while this end was paused. */
  #waiting: (readonly In[])[] | undefined;

  send(message: Out): void {
    if (this.#closed) return;
    if (this.#outbox.length === 0) setImmediate(() => this.#flush());
    this.#outbox.push(message);
  }

  onMessages(listener: (messages: readonly In[]) => void): void {
    this.#listener = listener;
  }

  onClose(listener: (reason: string) => void): void {
    this.#closeListeners.push(listener);
  }

  pause(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const batches = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const batch of batches) this.receive(batch);
  }

  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    for (const listener of this.#closeListeners) listener('closed');
    this.peer?.close();
  }

  #flush(): void {
    const batch = this.#outbox;
    if (batch.length === 0 || this.#closed) return;
    this.#outbox = [];
    this.peer?.receive(batch);
  }

  receive(batch: readonly In[]): void {
    if (this.#waiting !== undefined) this.#waiting.push(batch);
    else if (!this.#closed) this.#listener?.(batch);
  }
}
