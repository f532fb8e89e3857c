import type { Scenario } from './scenario.ts';
import { natsKilled } from './scenarios/nats-killed.ts';

/** By number in the matrix. */
export const SCENARIOS: readonly Scenario[] = [natsKilled];
