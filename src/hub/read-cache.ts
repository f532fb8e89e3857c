import type { LinkItem, RecoveryAnswer } from '../link/messages.ts';
import { bytesOf } from './topic-cache.ts';

interface Kept {
  readonly answer: RecoveryAnswer;
  readonly bytes: number;
  readonly readAtMs: number;
  readonly lastCount: number;
}

/** What is asked for page by page is asked for at the pace of a socket; longer than this nobody waits for it. */
const KEPT_MS = 5000;

/**
 * What was read of the log and did not fit one page: whoever asks on from that page gets the next from here, so that a large answer is not read again for
 * each of its pages, nor the last publications of a quiet topic for everybody who asks. The oldest go when there is too much.
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

  /** @param lastCount the answer is the last so many, or as many as there are or fit */
  put(what: string, answer: RecoveryAnswer, nowMs: number, lastCount = 0): void {
    this.#forget(what);
    const bytes = answer.items.reduce((sum: number, item: LinkItem) => sum + bytesOf(item), 0);
    if (answer.completeFrom === undefined || bytes > this.#bytesMax) return;
    this.#kept.set(what, { answer, bytes, readAtMs: nowMs, lastCount });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#forget(oldest);
    }
  }

  /** @returns what was read from before this offset and goes on beyond it */
  after(what: string, epoch: string, offset: number, nowMs: number): RecoveryAnswer | undefined {
    const answer = this.#fresh(what, epoch, nowMs)?.answer;
    if (answer === undefined) return undefined;
    const { completeFrom = Number.POSITIVE_INFINITY, offset: upTo } = answer;
    return completeFrom < offset && offset < upTo ? answer : undefined;
  }

  /** @returns the last so many, as they were read; whether more has come since is to be asked */
  last(what: string, epoch: string, count: number, nowMs: number): RecoveryAnswer | undefined {
    const kept = this.#fresh(what, epoch, nowMs);
    return kept !== undefined && kept.lastCount >= count ? kept.answer : undefined;
  }

  /** The last so many, with what has come since. It grows no older than what it was read as: some of that may go from the log. */
  grow(what: string, from: RecoveryAnswer, answer: RecoveryAnswer): RecoveryAnswer {
    const kept = this.#kept.get(what);
    if (kept?.answer !== from) return answer;
    const grown = { ...answer, items: answer.items.slice(-kept.lastCount) };
    this.put(what, grown, kept.readAtMs, kept.lastCount);
    return grown;
  }

  /** Called now and then: what nobody asks on from goes too. */
  forgetOld(nowMs: number): void {
    for (const [what, { readAtMs }] of this.#kept) if (nowMs - readAtMs > KEPT_MS) this.#forget(what);
  }

  #fresh(what: string, epoch: string, nowMs: number): Kept | undefined {
    const kept = this.#kept.get(what);
    if (kept === undefined || kept.answer.epoch !== epoch) return undefined;
    if (nowMs - kept.readAtMs <= KEPT_MS) return kept;
    this.#forget(what);
    return undefined;
  }

  #forget(what: string): void {
    this.#bytes -= this.#kept.get(what)?.bytes ?? 0;
    this.#kept.delete(what);
  }
}
