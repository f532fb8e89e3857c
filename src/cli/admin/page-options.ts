import type { Command } from 'commander';
import { positiveInteger } from '../options.ts';
import { note, shellWord } from '../output.ts';

export interface PageOptions {
  readonly prefix?: string;
  readonly after?: string;
  readonly limit?: string;
}

/** Options for a part of a list that is sorted by name. */
export function addPageOptions(command: Command, what: string): Command {
  return command
    .option('--prefix <text>', `only ${what} that begin with it`)
    .option('--after <name>', `${what} after this one, in the order of names`)
    .option('-n, --limit <n>', `at most this number of ${what} (default: 50)`);
}

/** @throws CliError `usage` */
export function pageOf({ prefix, after, limit }: PageOptions) {
  return { prefix, after, limit: limit === undefined ? undefined : positiveInteger('--limit', limit) };
}

/** Tells the user how to get what follows. */
export function noteNext({ total, next }: { readonly total: number; readonly next?: string | undefined }, shown: number): void {
  if (next !== undefined) note(`${shown} of ${total}; the next page: --after ${shellWord(next)}`);
  else if (total > shown) note(`${shown} of ${total}`);
}
