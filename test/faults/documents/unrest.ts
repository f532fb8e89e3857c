import { setTimeout as sleep } from 'node:timers/promises';
import type { BookReader } from './book-reader.ts';
import type { BookReaders } from './book-readers.ts';

/** Between two cuts, and between two that come late. */
const CUT_MS = 100;
const LATE_MS = 500;
const LATE_READERS = 10;
const RESUME_MS = 4000;

/** Readers that take nothing for a while, again and again. They are not cut. */
export interface Slow {
  readonly readers: readonly BookReader[];
  /** Publishes what is too much for their sockets while they take nothing. */
  flood(): Promise<void>;
}

/** Readers whose connections are cut at random, who come late and go again, and who are too slow for the changes of large books. */
export class Unrest {
  readonly #slow: readonly BookReader[];
  readonly #stop = new AbortController();
  readonly #loops: readonly Promise<void>[];

  constructor(readers: BookReaders, { readers: slow, flood }: Slow) {
    this.#slow = slow;
    const late: BookReader[] = [];
    this.#loops = [
      this.#every(CUT_MS, async () => {
        const all = readers.all.filter((reader) => !slow.includes(reader));
        all[Math.floor(Math.random() * all.length)]?.cut();
      }),
      this.#every(LATE_MS, async () => {
        late.push(...readers.add(1));
        if (late.length > LATE_READERS) await readers.remove(late.shift() as BookReader);
      }),
      this.#every(RESUME_MS, async () => {
        for (const reader of slow) reader.pause();
        await flood();
        for (const reader of slow) reader.resume();
      }),
    ];
  }

  /** Leaves everybody connected, or about to be. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    for (const reader of this.#slow) reader.resume();
  }

  async #every(ms: number, act: () => Promise<void>): Promise<void> {
    while (await this.#wait(ms)) await act();
  }

  /** @returns false: it is over */
  async #wait(ms: number): Promise<boolean> {
    return sleep(ms, true, { signal: this.#stop.signal }).catch(() => false);
  }
}
