import type { NumberedEvent } from '../numbers.ts';

/** Checks a feed that counts: counts what is missing, what came twice or too late, and whether a new count has begun. */
export class NumberCheck {
  received = 0;
  missing = 0;
  /** Had before, or came after a later one. */
  repeated = 0;
  #run: string | undefined;
  #last = 0;

  /** The last number that came. */
  get last(): number {
    return this.#last;
  }

  receive({ run, n }: NumberedEvent): void {
    this.received++;
    // The count may be old when we come, and begins anew when the feed does.
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

  /** The stream starts over from the topic's state, and has said so: what lies between is not coming, and nobody claims that it is. */
  startOver(): void {
    this.#run = undefined;
  }
}
