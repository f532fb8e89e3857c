import { dirname, resolve } from 'node:path';
import { adminTokenFilesAreUsable } from './admin-tokens.ts';
import { authKeysAreUsable } from './auth-keys.ts';
import { tlsFilesAreUsable } from './certificates.ts';
import { checkShape } from './check.ts';
import { withDefaults } from './defaults.ts';
import { CONFIG_FILE_VARIABLE, type Env, readEnv } from './env.ts';
import { readConfigFile } from './file.ts';
import { resolveFilePaths } from './file-paths.ts';
import { readFlags } from './flags.ts';
import { type Assignment, assign } from './layers.ts';
import { ConfigError, type Problem, printProblem } from './problem.ts';
import { RELATIONS, WARNINGS } from './relations.ts';
import type { Config } from './schema.ts';
import { CONFIG_SHAPE } from './shape.ts';

export interface ConfigSources {
  /** YAML or JSON. Default: the file that STENTOR_CONFIG names, or none. */
  readonly file?: string | undefined;
  /** Default: those of the process. */
  readonly env?: Env;
  /** By path: `{ 'nats.url': '…', port: 8081 }`. Texts are converted to the setting's type. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** By path, below everything else: defaults that differ from the schema's. */
  readonly base?: Readonly<Record<string, unknown>>;
}

export interface LoadedConfig {
  /** Complete and deeply frozen. */
  readonly config: Config;
  /** Settings that are valid, but probably a mistake. One sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Defaults, then the file, then the environment, then flags. The last one wins.
 *
 * @throws ConfigError with all problems
 */
export function loadConfig({ file, env = process.env, flags = {}, base = {} }: ConfigSources = {}): LoadedConfig {
  const path = file ?? (env[CONFIG_FILE_VARIABLE] || undefined);
  const fromBase = readFlags(base);
  const fromEnv = readEnv(env);
  const fromFlags = readFlags(flags);
  const raw = path === undefined ? {} : readSettings(path);
  const overrides = [...fromEnv.assignments, ...fromFlags.assignments];
  for (const assignment of overrides) assign(raw, assignment);
  for (const assignment of fromBase.assignments) if (!isSet(raw, assignment.path)) assign(raw, assignment);

  const value = withDefaults(CONFIG_SHAPE, raw);
  const early = [...fromBase.problems, ...fromEnv.problems, ...fromFlags.problems];
  const misfits = checkShape(CONFIG_SHAPE, value);
  refuse([...early, ...misfits], overrides, path);

  const config = deepFreeze(value) as Config;
  refuse(
    [...RELATIONS, adminTokenFilesAreUsable, authKeysAreUsable, tlsFilesAreUsable].flatMap((relation) => relation(config)),
    overrides,
    path,
  );
  return { config, warnings: [...fromEnv.warnings, ...WARNINGS.flatMap((warning) => warning(config))] };
}

function readSettings(path: string): Record<string, unknown> {
  return resolveFilePaths(CONFIG_SHAPE, readConfigFile(path), dirname(resolve(path))) as Record<string, unknown>;
}

function isSet(raw: Record<string, unknown>, path: string): boolean {
  let at: unknown = raw;
  for (const segment of path.split('.')) at = (at as Record<string, unknown> | null | undefined)?.[segment];
  return at !== undefined && at !== null;
}

function refuse(problems: readonly Problem[], overrides: readonly Assignment[], file: string | undefined): void {
  if (problems.length === 0) return;
  throw new ConfigError(
    problems.map((problem) => printProblem(problem, 'value' in problem ? sourceOf(problem.path, overrides, file) : undefined)),
  );
}

/** The last override of the path or of a parent of it; otherwise the file. */
function sourceOf(path: string, overrides: readonly Assignment[], file: string | undefined): string | undefined {
  const override = overrides.findLast((assignment) => path === assignment.path || path.startsWith(`${assignment.path}.`));
  return override?.source ?? file;
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}
