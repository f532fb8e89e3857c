import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../src/config/problem.ts';

let root: string | undefined;

/** Writes a file in a folder of its own, which goes when this process ends; returns its path. */
export function tempFile(name: string, text: string): string {
  root ??= tempRoot();
  const path = join(mkdtempSync(join(root, 'file-')), name);
  writeFileSync(path, text);
  return path;
}

function tempRoot(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-test-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
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
