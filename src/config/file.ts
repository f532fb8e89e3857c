import { readFileSync } from 'node:fs';
import { parse, YAMLError } from 'yaml';
import { ConfigError } from './problem.ts';
import { isPlainObject } from './shape.ts';

/**
 * Reads a YAML file, or a JSON file if its name ends in `.json`.
 *
 * @returns its map; an empty file is an empty map
 * @throws ConfigError
 */
export function readConfigFile(path: string): Record<string, unknown> {
  const value = parseText(path, readText(path));
  if (value === null || value === undefined) return {};
  if (!isPlainObject(value))
    throw new ConfigError([`${path}: expected a map of settings, not ${Array.isArray(value) ? 'a list' : `a ${typeof value}`}`]);
  return value;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError([`${path}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`], { cause });
  }
}

function parseText(path: string, text: string): unknown {
  try {
    return path.endsWith('.json') ? JSON.parse(text) : parse(text);
  } catch (cause) {
    throw new ConfigError([`${path}: ${path.endsWith('.json') ? 'not valid JSON' : describeYamlError(cause)}`], { cause });
  }
}

/** What is wrong and where, without the parser's own message, which may quote the file with its secrets. */
function describeYamlError(cause: unknown): string {
  if (!(cause instanceof YAMLError)) return 'not valid YAML (an alias without its anchor, or too many)';
  const [at] = cause.linePos ?? [];
  return `not valid YAML${at ? ` at line ${at.line}, column ${at.col}` : ''} (${cause.code.toLowerCase().replaceAll('_', ' ')})`;
}
