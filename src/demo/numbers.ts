/** One publication of the feed that counts. */
export interface NumberedEvent {
  /** Names one count from 1: a feed that starts over has another. */
  readonly run: string;
  readonly n: number;
}

/** 1, 2, 3, for ever. */
export function* numbers(run: string): Generator<NumberedEvent, never> {
  for (let n = 1; ; n++) yield { run, n };
}
