import { keptKey, type RevocationStore, type StoredRevocation, widest } from '../revocation-store.ts';

/** For as long as the process lives, and no longer than a token may. */
export class MemoryRevocations implements RevocationStore {
  readonly #keepMs: number;
  readonly #nowMs: () => number;
  /** Oldest first. */
  readonly #kept = new Map<string, { readonly revocation: StoredRevocation; readonly atMs: number }>();

  constructor(keepMs: number, nowMs: () => number) {
    this.#keepMs = keepMs;
    this.#nowMs = nowMs;
  }

  async put(revocation: StoredRevocation): Promise<void> {
    const key = keptKey(revocation);
    const wider = widest(this.#kept.get(key)?.revocation, revocation);
    this.#kept.delete(key);
    this.#kept.set(key, { revocation: wider, atMs: this.#nowMs() });
  }

  async all(): Promise<StoredRevocation[]> {
    const since = this.#nowMs() - this.#keepMs;
    for (const [key, { atMs }] of this.#kept) if (atMs < since) this.#kept.delete(key);
    return [...this.#kept.values()].map(({ revocation }) => revocation);
  }
}
