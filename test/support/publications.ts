import type { Publication } from '../../src/bus/publication.ts';

const WAIT_MS = 30_000;

/** Receives publications, and waits for what a test is after instead of sleeping. */
export class Inbox {
  readonly publications: Publication[] = [];
  readonly errors: Error[] = [];
  #waiting: (() => void)[] = [];

  readonly receive = (publication: Publication): void => {
    this.publications.push(publication);
    this.#changed();
  };

  onPublication(publication: Publication): void {
    this.receive(publication);
  }

  readonly fail = (error: Error): void => {
    this.errors.push(error);
    this.#changed();
  };

  get offsets(): number[] {
    return this.publications.map(({ offset }) => offset);
  }

  get texts(): string[] {
    return this.publications.map(textOf);
  }

  count(wanted: number): Promise<void> {
    return this.until(() => this.publications.length >= wanted, `${wanted} publications`);
  }

  error(): Promise<Error> {
    return this.until(() => this.errors.length > 0, 'an error').then(() => this.errors[0] as Error);
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const deadlineMs = performance.now() + WAIT_MS;
    while (!holds()) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new Error(`waited ${WAIT_MS} ms for ${what}, have ${this.publications.length} publications`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export function textOf({ payload }: Pick<Publication, 'payload'>): string {
  return Buffer.from(payload).toString();
}
