/** One publication of the counting feed. */
export interface NumberedEvent {
  /** Identifies one count from 1. A feed that starts over has another one. */
  readonly run: string;
  readonly n: number;
}

/** 1, 2, 3, without end. */
export function* numbers(run: string): Generator<NumberedEvent, never> {
  for (let n = 1; ; n++) yield { run, n };
}
