import type { RecentBudget } from './budget.ts';
import type { RecentItem } from './item-form.ts';
import type { Missed } from './missed.ts';

export interface KeptRead<T extends RecentItem, N> {
  readonly missed: Missed<T>;
  /** What its user must know of it. */
  readonly note: N;
  readonly atMs: number;
}

interface Kept<T extends RecentItem, N> extends KeptRead<T, N> {
  readonly bytes: number;
}

/** Clients that were disconnected at the same time reconnect within a while, and pages are requested at the pace of a socket. Nobody waits longer than this. */
const KEPT_MS = 5000;
/** Share of the budget of the process. */
const SHARE = 1 / 4;

/**
 * Keeps recent reads of what lies before the rings, for other clients that return to the same topic, and for requests that continue. The bytes count in the
 * budget of the process, and are at most a quarter of it. The oldest are dropped first.
 */
export class KeptReads<T extends RecentItem, N> {
  readonly #budget: RecentBudget<T>;
  /** By name, oldest first. */
  readonly #kept = new Map<string, Kept<T, N>>();
  #bytes = 0;

  constructor(budget: RecentBudget<T>) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Replaces what was kept under this name. A read that is larger than the limit is not kept. */
  put(name: string, missed: Missed<T>, note: N, nowMs: number): void {
    this.#forget(name);
    const { form, bounds } = this.#budget;
    const bytesMax = bounds.bytesMax * SHARE;
    const bytes = missed.items.reduce((sum, item) => sum + form.bytesOf(item), 0);
    if (bytes > bytesMax) return;
    this.#kept.set(name, { missed, note, bytes, atMs: nowMs });
    this.#count(bytes);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= bytesMax) return;
      this.#forget(oldest);
    }
  }

  /** Undefined: not kept, too old, or from another epoch. */
  get(name: string, epoch: string, nowMs: number): KeptRead<T, N> | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined || kept.missed.epoch !== epoch) return undefined;
    if (nowMs - kept.atMs <= KEPT_MS) return kept;
    this.#forget(name);
    return undefined;
  }

  /** It was requested again, so others may request it too: it stays as long as if it had been read now. */
  renew(name: string, nowMs: number): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    this.#kept.delete(name);
    this.#kept.set(name, { ...kept, atMs: nowMs });
  }

  /** Called regularly, to drop reads that are not requested again. */
  forgetOld(nowMs: number): void {
    for (const [name, { atMs }] of this.#kept) if (nowMs - atMs > KEPT_MS) this.#forget(name);
  }

  #forget(name: string): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    this.#kept.delete(name);
    this.#count(-kept.bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.count(bytes);
  }
}
