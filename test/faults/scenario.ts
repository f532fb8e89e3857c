import type { FaultRun } from './fault-run.ts';

export interface Size {
  readonly clients: number;
  /** Publications a second, over all topics. */
  readonly ratePerSecond: number;
  readonly topics: number;
  /** Smaller than what reliability.md asks, and shorter: for `npm test`. */
  readonly quick: boolean;
  /** Of books: how often they are checked at least. */
  readonly checks?: number | undefined;
  /** Of books: a file with recorded ones, instead of those that the run makes up. */
  readonly books?: string | undefined;
  /** How long a soak takes. Others take as long as what they do. */
  readonly minutes?: number;
}

/** Figures by name, unit last; the greater, the worse. */
export type Figures = Readonly<Record<string, number>>;

export interface Outcome {
  readonly figures: Figures;
  /** What a figure may be at most, where it is judged. */
  readonly limits: Figures;
  /** Why it did not pass; none: it did. */
  readonly failures: readonly string[];
  /** What a reader must know to read the figures. */
  readonly notes: readonly string[];
}

export interface Scenario {
  /** As in the matrix of faults. */
  readonly number: number;
  readonly title: string;
  readonly pass: string;
  readonly size: Size;
  readonly timeoutMs: number;
  /** Runs again by itself in a network namespace of its own, where root allows one. */
  readonly ownNetwork?: boolean;
  execute(run: FaultRun, size: Size): Promise<void>;
}
