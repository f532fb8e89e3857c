import { printValue } from './redact.ts';
import { displayPath } from './shape.ts';

/** One problem in a configuration. */
export interface Problem {
  readonly path: string;
  /** Absent: there is no value to show. */
  readonly value?: unknown;
  /** Completes "expected …", or describes the problem. */
  readonly expected: string;
}

/** @param source where the value was set: a file, a variable, a flag */
export function printProblem(problem: Problem, source: string | undefined): string {
  const value = 'value' in problem && problem.value !== undefined ? ` = ${printValue(problem.path, problem.value)}` : '';
  return `${displayPath(problem.path)}${value}${source === undefined ? '' : ` (${source})`}: ${problem.expected}`;
}

/** The configuration is invalid. The message lists every problem, one per line, with secrets redacted. */
export class ConfigError extends Error {
  readonly code = 'bad_config';
  /** One line per problem. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(
      `${problems.length === 1 ? 'a problem' : `${problems.length} problems`} in the configuration:\n${problems.map((line) => `  ${line}`).join('\n')}`,
      options,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
