import type { ClientSocket } from '../../src/transport/transport.ts';

/** A client's connection in the test's hands: it says how much waits for it, and keeps what it is sent. */
export class FakeSocket implements ClientSocket {
  readonly isNative: boolean;
  isOpen = true;
  bufferedBytes = 0;
  /** It takes nothing more: what it is sent is dropped. */
  isFull = false;
  /** Of all that it takes; what comes after that is dropped, and reported. */
  bytesMax = Number.POSITIVE_INFINITY;
  onDropped: () => void = () => undefined;
  readonly frames: Uint8Array[] = [];
  /** Of the frames that had one, in a stream of events. */
  readonly eventIds: string[] = [];
  /** How many frames each write had. */
  readonly writes: number[] = [];
  /** Shards that it has joined, with every step that led there. */
  readonly listensTo = new Set<string>();
  readonly steps: string[] = [];
  pings = 0;
  endedWith: number | undefined;
  endedBecause: string | undefined;
  /** As a transport does: before `end` and `cut` return. */
  onClosed: (code: number) => void = () => undefined;
  #corked: number | undefined;

  constructor({ isNative = true }: { readonly isNative?: boolean } = {}) {
    this.isNative = isNative;
  }

  send(frame: Uint8Array, _binary: boolean, eventId?: string): boolean {
    if (!this.isOpen || this.isFull) return false;
    if (this.frames.reduce((sum, { length }) => sum + length, frame.length) > this.bytesMax) {
      this.onDropped();
      return false;
    }
    if (eventId !== undefined) this.eventIds.push(eventId);
    this.frames.push(frame);
    if (this.#corked === undefined) this.writes.push(1);
    else this.#corked++;
    return true;
  }

  cork(work: () => void): void {
    if (!this.isOpen) return;
    this.#corked = 0;
    work();
    this.writes.push(this.#corked);
    this.#corked = undefined;
  }

  join(shard: string): void {
    this.listensTo.add(shard);
    this.steps.push(`+${shard}`);
  }

  leave(shard: string): void {
    this.listensTo.delete(shard);
    this.steps.push(`-${shard}`);
  }

  publishToOthers(): void {
    throw new Error('no test publishes through this socket');
  }

  ping(): void {
    if (this.isOpen) this.pings++;
  }

  end(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.endedBecause = reason;
    this.close(code);
  }

  cut(): void {
    if (this.isOpen) this.close(1006);
  }

  /** Called when the socket has closed, by either side. */
  close(code: number): void {
    this.isOpen = false;
    this.bufferedBytes = 0;
    this.endedWith = code;
    this.onClosed(code);
  }
}
