import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * A tool that tests use where it is found: named by the variable, or, given a name, on the PATH. Who works on the server need not have it.
 * @throws Error when the variable names no file: whoever sets it wants these tests to run
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
