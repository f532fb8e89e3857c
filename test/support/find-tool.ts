import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Finds an optional tool: by the variable, or, if a name is given, on the PATH. Tests that need it are skipped without it.
 * @throws Error if the variable names no file: a developer who sets it wants these tests to run
 */
export function findTool(variable: string, name?: string): string | undefined {
  const path = process.env[variable];
  if (path !== undefined && path !== '') {
    if (!existsSync(path)) throw new Error(`$${variable} names no file: ${path}`);
    return path;
  }
  if (name === undefined) return undefined;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((found) => existsSync(found));
}
