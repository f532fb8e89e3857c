import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { ConfigError } from '../../src/config/problem.ts';

let root: string | undefined;

afterAll(() => {
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
});

/** Writes a file in a folder of its own, which goes when the tests of this file have ended; returns its path. */
export function tempFile(name: string, text: string): string {
  root ??= mkdtempSync(join(tmpdir(), 'stentor-test-'));
  const path = join(mkdtempSync(join(root, 'file-')), name);
  writeFileSync(path, text);
  return path;
}

/** The problems that `run` is refused with; fails when it is not refused. */
export function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('was not refused');
}
