import type { HubEnd } from '../../src/link/link.ts';
import type { ToWorker } from '../../src/link/messages.ts';

/** A worker's link that records what it is sent. */
export class RecordingLink implements HubEnd {
  queuedBytes = 0;
  readonly sent: ToWorker[] = [];

  send(message: ToWorker): void {
    this.sent.push(message);
  }

  onMessages(): void {}
  onClose(): void {}
  close(): void {}

  /** `[prev, offset]` of the publications. */
  get chain(): [number, number][] {
    return this.sent.flatMap((message) => (message.kind === 'publication' ? [[message.prev, message.item.offset]] : []));
  }

  get kinds(): string[] {
    return this.sent.map(({ kind }) => kind);
  }

  /** The messages of one kind. */
  of<K extends ToWorker['kind']>(kind: K): Extract<ToWorker, { kind: K }>[] {
    return this.sent.filter((message): message is Extract<ToWorker, { kind: K }> => message.kind === kind);
  }
}
