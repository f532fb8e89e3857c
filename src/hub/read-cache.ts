import type { LinkItem, RecoveryAnswer } from '../link/messages.ts';
import { bytesOf } from './topic-cache.ts';

interface Kept {
  readonly answer: RecoveryAnswer;
  readonly bytes: number;
  readonly readAtMs: number;
}

/** What is asked for page by page is asked for at the pace of a socket; longer than this nobody waits for it. */
const KEPT_MS = 5000;

/**
 * What was read of the log and did not fit one page: whoever asks on from that page gets the next from here, so that a large answer is not read again for
 * each of its pages. The oldest go when there is too much.
 */
export class ReadCache {
  readonly #bytesMax: number;
  /** By what was read, oldest first. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  put(what: string, answer: RecoveryAnswer, nowMs: number): void {
    this.#forget(what);
    const bytes = answer.items.reduce((sum: number, item: LinkItem) => sum + bytesOf(item), 0);
    if (answer.completeFrom === undefined || bytes > this.#bytesMax) return;
    this.#kept.set(what, { answer, bytes, readAtMs: nowMs });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#forget(oldest);
    }
  }

  /** @returns what was read from before this offset and goes on beyond it */
  after(what: string, epoch: string, offset: number, nowMs: number): RecoveryAnswer | undefined {
    const kept = this.#kept.get(what);
    if (kept === undefined) return undefined;
    if (nowMs - kept.readAtMs > KEPT_MS) {
      this.#forget(what);
      return undefined;
    }
    const { completeFrom = Number.POSITIVE_INFINITY, offset: upTo } = kept.answer;
    return kept.answer.epoch === epoch && completeFrom < offset && offset < upTo ? kept.answer : undefined;
  }

  /** Called now and then: what nobody asks on from goes too. */
  forgetOld(nowMs: number): void {
    for (const [what, { readAtMs }] of this.#kept) if (nowMs - readAtMs > KEPT_MS) this.#forget(what);
  }

  #forget(what: string): void {
    this.#bytes -= this.#kept.get(what)?.bytes ?? 0;
    this.#kept.delete(what);
  }
}
