import type { NumberedEvent } from '../numbers.ts';

/** Checks a counting feed: counts numbers that are missing, repeated or late, and detects a new count. */
export class NumberCheck {
  received = 0;
  missing = 0;
  /** Received before, or received after a later one. */
  repeated = 0;
  #run: string | undefined;
  #last = 0;

  /** The last number received. */
  get last(): number {
    return this.#last;
  }

  receive({ run, n }: NumberedEvent): void {
    this.received++;
    // The count may have begun long before this page, and begins again when the feed restarts.
    if (run !== this.#run) {
      this.#run = run;
      this.#last = n;
      return;
    }
    if (n <= this.#last) {
      this.repeated++;
      return;
    }
    this.missing += n - this.#last - 1;
    this.#last = n;
  }

  /** The stream was reset to the topic's state, with a resync. The numbers in between will not come, and do not count as missing. */
  startOver(): void {
    this.#run = undefined;
  }
}
