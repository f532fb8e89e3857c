import type { RunResult } from '../measure/types.ts';
import type { ServerUnderTest } from '../servers/server.ts';

/** What the command line may change; undefined: the scenario's own. */
export interface Overrides {
  readonly seconds?: number;
  readonly members?: number;
  readonly rate?: number;
  readonly payloadBytes?: number;
  readonly workers?: number;
  readonly itemsPerSend?: number;
  readonly countSends: boolean;
  /** Small and short, to see that everything runs: its figures are not for quoting. */
  readonly quick: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly describes: string;
  /** Run by default, interleaved, in this order. */
  readonly servers: readonly string[];
  /** Ratios are against this one. */
  readonly baseline: string;
  readonly targets: readonly Target[];
  run(server: ServerUnderTest, pair: number, overrides: Overrides): Promise<RunResult>;
}

/** A line of design/performance.md's targets that this scenario decides. */
export interface Target {
  /** The line's number there. */
  readonly number: string;
  readonly server: string;
  /** A name out of {@link metricsOf}. */
  readonly metric: string;
  /** Ratio within a pair against the best of these; empty: the figure itself. */
  readonly against: readonly string[];
  /** `difference` subtracts instead of dividing. */
  readonly by?: 'ratio' | 'difference';
  readonly bound: { readonly atMost: number } | { readonly atLeast: number };
  readonly text: string;
}
