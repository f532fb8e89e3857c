import type { HubEnd } from '../link/link.ts';

const POLL_MS = 5;

/**
 * Lets the whole state of a topic, and answers with parts of the past, go to a worker only when little waits on the link. Otherwise publications would wait
 * behind all that clients have asked for at once (33 MB of histories: 2.7 s), and, when a log is reset, the worker would be restarted because of a queue that it
 * could not yet have read. Who waits is bounded by the open topics, and by what a worker asks for at once.
 */
export class LinkRoom {
  readonly #bytesMax: number;
  readonly #waiting = new Map<HubEnd, (() => void)[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Calls `tell` when the link has room: now, or later and in order. */
  whenRoom(link: HubEnd, tell: () => void): void {
    const waiting = this.#waiting.get(link);
    if (waiting !== undefined) waiting.push(tell);
    else if (link.queuedBytes <= this.#bytesMax) tell();
    else {
      this.#waiting.set(link, [tell]);
      this.#timer ??= setInterval(() => this.#look(), POLL_MS);
    }
  }

  /** Call when the link has closed. */
  forget(link: HubEnd): void {
    this.#waiting.delete(link);
    this.#stopWhenIdle();
  }

  stop(): void {
    this.#waiting.clear();
    this.#stopWhenIdle();
  }

  #look(): void {
    for (const [link, waiting] of this.#waiting) {
      while (waiting.length > 0 && link.queuedBytes <= this.#bytesMax) waiting.shift()?.();
      if (waiting.length === 0) this.#waiting.delete(link);
    }
    this.#stopWhenIdle();
  }

  #stopWhenIdle(): void {
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
