export interface PublishQueueOptions {
  /** Publishes that may wait at once, those on their way included. */
  readonly queueMax: number;
  /** At the bound: refuse the new one, or let the oldest that has not been sent go. */
  readonly onFull: 'reject' | 'dropOldest';
  /** How long a publish is tried. Must stay below the log's dedupe window (two minutes), or a late retry is stored twice. */
  readonly budgetMs: number;
  /** Sent and unanswered at once. 1: strictly in order even when the server refuses one for a while. */
  readonly inFlightMax: number;
}

/** A publish on its way; `id` is its wire id and stays the same over retries, as its idempotency key does. */
export interface QueuedPublish {
  readonly id: number;
  /** The encoded message: what is sent again is byte for byte the same. */
  readonly frame: Uint8Array;
}

interface Entry<P extends QueuedPublish> {
  readonly publish: P;
  readonly giveUpAtMs: number;
  inFlight: boolean;
  /** Was sent once, and what became of that is not known. */
  mayBeStored: boolean;
}

export type EnqueueResult<P> = { readonly kind: 'queued'; readonly dropped: P | undefined } | { readonly kind: 'full' };

/** Publishes whose budget is over. `mayBeStored`: the outcome is unknown; else it surely is not stored. */
export interface Expired<P> {
  readonly publish: P;
  readonly mayBeStored: boolean;
}

/**
 * Publishes in order, from the application's call to the answer, over as many connections as it takes. Everything unanswered goes out again, in the same order
 * and under the same key, after a reconnect: what the server had stored already it answers as a duplicate. No sockets, no clock.
 */
export class PublishQueue<P extends QueuedPublish> {
  readonly #options: PublishQueueOptions;
  /** In order of the application's calls: ids rise. */
  readonly #entries = new Map<number, Entry<P>>();
  #inFlight = 0;
  /** Nothing is sent before: the server refused the first in line for now, and none may overtake it. */
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

  /** What may be sent now, in order; from here on they count as sent. */
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

  /** The server answered, for good. */
  settle(id: number): P | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    if (entry.inFlight) this.#inFlight--;
    return entry.publish;
  }

  /**
   * The server refused it for now: it stays, and goes again after the pause.
   * @param stored may that sending have stored it all the same?
   */
  refused(id: number, retryAfterMs: number, stored: boolean, nowMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || !entry.inFlight) return;
    entry.inFlight = false;
    entry.mayBeStored ||= stored;
    this.#inFlight--;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + retryAfterMs);
  }

  /** The connection is gone, or the server dropped messages unread: everything unanswered is to be sent again. */
  allUnanswered(pausedUntilMs = 0): void {
    for (const entry of this.#entries.values()) {
      entry.mayBeStored ||= entry.inFlight;
      entry.inFlight = false;
    }
    this.#inFlight = 0;
    this.#pausedUntilMs = pausedUntilMs;
  }

  /** @returns those whose budget is over; they are out of the queue */
  takeExpired(nowMs: number): Expired<P>[] {
    const expired: Expired<P>[] = [];
    for (const { publish, giveUpAtMs, inFlight, mayBeStored } of this.#entries.values()) {
      // Every budget is the same, so the order of calls is the order of ends.
      if (giveUpAtMs > nowMs) break;
      expired.push({ publish, mayBeStored: inFlight || mayBeStored });
    }
    for (const { publish } of expired) this.settle(publish.id);
    return expired;
  }

  /** The client ends: everything, as if its budget were over. */
  takeAll(): Expired<P>[] {
    return this.takeExpired(Number.POSITIVE_INFINITY);
  }

  /** When to look again: the first budget's end or the pause's. */
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
