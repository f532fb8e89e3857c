import type { HubEnd, Link, WorkerEnd } from './link.ts';
import type { ToHub, ToWorker } from './messages.ts';
import type { LinkItem } from './publication-message.ts';

/** Estimated bytes of a message besides its data: its fields, and its object. */
const OVERHEAD_BYTES = 200;

/** A link without a socket, for `workers: 0`. Batches are passed on at the end of the loop turn, as with a socket. */
export function createInProcessLink(): { hubEnd: HubEnd; workerEnd: WorkerEnd } {
  const hubEnd = new InProcessEnd<ToWorker, ToHub>();
  const workerEnd = new InProcessEnd<ToHub, ToWorker>();
  hubEnd.peer = workerEnd;
  workerEnd.peer = hubEnd;
  return { hubEnd, workerEnd };
}

class InProcessEnd<Out extends ToWorker | ToHub, In extends ToWorker | ToHub> implements Link<Out, In> {
  peer: InProcessEnd<In, Out> | undefined;
  #outbox: Out[] = [];
  #outboxBytes = 0;
  #listener: ((messages: readonly In[]) => void) | undefined;
  #closeListeners: ((reason: string) => void)[] = [];
  #closed = false;

  get queuedBytes(): number {
    return this.#outboxBytes;
  }

  send(message: Out): void {
    if (this.#closed) return;
    if (this.#outbox.length === 0) setImmediate(() => this.#flush());
    this.#outbox.push(message);
    this.#outboxBytes += sizeOf(message);
  }

  onMessages(listener: (messages: readonly In[]) => void): void {
    this.#listener = listener;
  }

  onClose(listener: (reason: string) => void): void {
    this.#closeListeners.push(listener);
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
    this.#outboxBytes = 0;
    this.peer?.receive(batch);
  }

  receive(batch: readonly In[]): void {
    if (!this.#closed) this.#listener?.(batch);
  }
}

function sizeOf(message: ToWorker | ToHub): number {
  switch (message.kind) {
    case 'publication':
      return OVERHEAD_BYTES + message.item.data.length;
    case 'opened':
      return sizeOfItems(message.items) + sizeOfItems(message.missed?.items ?? []);
    case 'resync':
    case 'items':
    case 'recovery':
      return sizeOfItems(message.items);
    case 'publish':
    case 'call':
    case 'result':
      return OVERHEAD_BYTES + message.data.length;
    case 'presenceReport':
      return message.reports.reduce((sum, { members = [] }) => sum + OVERHEAD_BYTES * (1 + members.length), OVERHEAD_BYTES);
    case 'presenceState':
    case 'presenceAnswer':
      return OVERHEAD_BYTES * (1 + (message.state.members?.length ?? 0));
    case 'presenceChanges':
      return message.changes.reduce(
        (sum, { members = [], joined = [], left = [] }) => sum + OVERHEAD_BYTES * (1 + members.length + joined.length + left.length),
        OVERHEAD_BYTES,
      );
    default:
      return OVERHEAD_BYTES;
  }
}

function sizeOfItems(items: readonly LinkItem[]): number {
  return items.reduce((sum, { data }) => sum + OVERHEAD_BYTES + data.length, OVERHEAD_BYTES);
}
