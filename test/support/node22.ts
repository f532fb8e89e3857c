import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CACHE = resolve(import.meta.dirname, '../../.cache/node22');
const INSTALL_TIMEOUT_MS = 300_000;

/** A Node 22: `$NODE22`, this one, or the npm package with its binary, which is got once. @throws Error when there is none to be had */
export function node22Binary(): string {
  const named = process.env.NODE22;
  if (named !== undefined && named !== '') {
    if (!isNode22(named)) throw new Error(`$NODE22 is no Node 22: ${named}`);
    return named;
  }
  if (process.versions.node.startsWith('22.')) return process.execPath;
  const binary = join(CACHE, 'node_modules', packageName(), 'bin/node');
  if (!existsSync(binary)) install();
  if (!isNode22(binary)) throw new Error(`no Node 22 in ${CACHE}: name one in $NODE22`);
  return binary;
}

/** In a folder of its own, which then takes its place: two test files may come here at once. */
function install(): void {
  console.log('getting Node 22 by npm, once');
  const folder = `${CACHE}-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const args = ['install', '--prefix', folder, '--no-save', '--no-package-lock', '--no-audit', '--no-fund', `${packageName()}@22`];
  execFileSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: INSTALL_TIMEOUT_MS });
  try {
    renameSync(folder, CACHE);
  } catch (error) {
    // The other one was first.
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(CACHE)) throw error;
  }
}

function packageName(): string {
  return `node-${process.platform}-${process.arch}`;
}

function isNode22(path: string): boolean {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return stdout?.startsWith('v22.') ?? false;
}
