export interface PublishQueueOptions {
  /** Maximum number of unanswered publishes, sent or not. */
  readonly queueMax: number;
  /** When it is full: refuse the new one, or drop the oldest that has not been sent. */
  readonly onFull: 'reject' | 'dropOldest';
  /** For how long a publish is tried. Must be less than the log's deduplication window (two minutes); otherwise a late retry is stored twice. */
  readonly budgetMs: number;
  /** Maximum number that are sent and unanswered. 1: strictly in order, even if the server refuses one for a while. */
  readonly inFlightMax: number;
}

/** A publish in the queue. `id` is its wire id, and stays the same over retries, as its idempotency key does. */
export interface QueuedPublish {
  readonly id: number;
  /** The encoded message. A retry sends exactly the same bytes. */
  readonly frame: Uint8Array;
}

interface Entry<P extends QueuedPublish> {
  readonly publish: P;
  readonly giveUpAtMs: number;
  inFlight: boolean;
  /** It was sent once with an unknown result. */
  mayBeStored: boolean;
}

export type EnqueueResult<P> = { readonly kind: 'queued'; readonly dropped: P | undefined } | { readonly kind: 'full' };

/** Publishes whose time budget is used up. `mayBeStored`: the outcome is unknown; otherwise it is certainly not stored. */
export interface Expired<P> {
  readonly publish: P;
  readonly mayBeStored: boolean;
}

/**
 * Publishes in order, from the application's call to the answer, over any number of connections. After a reconnect, everything unanswered is sent again, in the
 * same order and with the same keys. If the server had stored it already, it answers that it is a duplicate. No sockets, no clock.
 */
export class PublishQueue<P extends QueuedPublish> {
  readonly #options: PublishQueueOptions;
  /** In the order of the application's calls: ids rise. */
  readonly #entries = new Map<number, Entry<P>>();
  #inFlight = 0;
  /** Nothing is sent before this time: the server refused the first publish for now, and no other may be sent before it. */
  #pausedUntilMs = 0;

  constructor(options: PublishQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: number): P | undefined {
    return this.#entries.get(id)?.publish;
  }

  add(publish: P, nowMs: number): EnqueueResult<P> {
    let dropped: P | undefined;
    if (this.#entries.size >= this.#options.queueMax) {
      dropped = this.#options.onFull === 'dropOldest' ? this.#oldestUnsent() : undefined;
      if (dropped === undefined) return { kind: 'full' };
      this.#entries.delete(dropped.id);
    }
    this.#entries.set(publish.id, { publish, giveUpAtMs: nowMs + this.#options.budgetMs, inFlight: false, mayBeStored: false });
    return { kind: 'queued', dropped };
  }

  /** The publishes that may be sent now, in order. From here on they count as sent. */
  takeDue(nowMs: number): P[] {
    const due: P[] = [];
    if (nowMs < this.#pausedUntilMs) return due;
    for (const entry of this.#entries.values()) {
      if (this.#inFlight >= this.#options.inFlightMax) break;
      if (entry.inFlight) continue;
      entry.inFlight = true;
      this.#inFlight++;
      due.push(entry.publish);
    }
    return due;
  }

  /** The server has answered; there is no retry. */
  settle(id: number): P | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    if (entry.inFlight) this.#inFlight--;
    return entry.publish;
  }

  /** The server refused it for now: it stays, and is sent again after the pause. @param stored whether it may have been stored nevertheless */
  refused(id: number, retryAfterMs: number, stored: boolean, nowMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || !entry.inFlight) return;
    entry.inFlight = false;
    entry.mayBeStored ||= stored;
    this.#inFlight--;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + retryAfterMs);
  }

  /** The connection was lost, or the server dropped messages without reading them: everything unanswered must be sent again. */
  allUnanswered(pausedUntilMs = 0): void {
    for (const entry of this.#entries.values()) {
      entry.mayBeStored ||= entry.inFlight;
      entry.inFlight = false;
    }
    this.#inFlight = 0;
    this.#pausedUntilMs = pausedUntilMs;
  }

  /** @returns those whose time budget is used up; they are removed from the queue */
  takeExpired(nowMs: number): Expired<P>[] {
    const expired: Expired<P>[] = [];
    for (const { publish, giveUpAtMs, inFlight, mayBeStored } of this.#entries.values()) {
      // All budgets are the same, so the order of calls is the order of ends.
      if (giveUpAtMs > nowMs) break;
      expired.push({ publish, mayBeStored: inFlight || mayBeStored });
    }
    for (const { publish } of expired) this.settle(publish.id);
    return expired;
  }

  /** The client ends: as if all time budgets were used up. */
  takeAll(): Expired<P>[] {
    return this.takeExpired(Number.POSITIVE_INFINITY);
  }

  /** When to check again: at the end of the first time budget, or of the pause. */
  nextAtMs(nowMs: number): number | undefined {
    const [first] = this.#entries.values();
    if (first === undefined) return undefined;
    return this.#pausedUntilMs > nowMs ? Math.min(first.giveUpAtMs, this.#pausedUntilMs) : first.giveUpAtMs;
  }

  #oldestUnsent(): P | undefined {
    for (const { publish, inFlight, mayBeStored } of this.#entries.values()) if (!inFlight && !mayBeStored) return publish;
    return undefined;
  }
}
