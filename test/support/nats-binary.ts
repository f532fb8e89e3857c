import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** What `go install` gets; the newest when this was written. */
const PINNED_VERSION = 'v2.15.2';
const CACHE = resolve(import.meta.dirname, '../../.cache/nats-server');
const BINARY = 'nats-server';
const INSTALL_TIMEOUT_MS = 600_000;

/**
 * The nats-server that tests run: `$NATS_SERVER`, or one on the PATH or in the cache, or one that is got now.
 * @throws Error naming the three ways when there is none: missing NATS fails the tests, it does not skip them
 */
export function natsServerBinary(): string {
  const named = process.env.NATS_SERVER;
  if (named !== undefined && named !== '') {
    if (!existsSync(named)) throw new Error(`$NATS_SERVER names no file: ${named}`);
    return named;
  }
  return onPath() ?? cached() ?? byGo() ?? byApt() ?? missing();
}

/** One server of every version at hand: what must run on old and new ones is tried on all. */
export function natsServerBinaries(): string[] {
  const found = [natsServerBinary(), onPath(), cached()].filter((path) => path !== undefined);
  const byVersion = new Map(found.map((path) => [execFileSync(path, ['--version'], { encoding: 'utf8' }), path]));
  return [...byVersion.values()];
}

function onPath(): string | undefined {
  // Debian's lies in /usr/sbin, which is on root's PATH only.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, BINARY)).find((path) => existsSync(path));
}

function cached(): string | undefined {
  const path = join(CACHE, BINARY);
  return existsSync(path) ? path : undefined;
}

function byGo(): string | undefined {
  if (spawnSync('go', ['version']).status !== 0) return undefined;
  mkdirSync(CACHE, { recursive: true });
  console.log(`getting nats-server ${PINNED_VERSION} by go install, once`);
  const env = { ...process.env, GOBIN: CACHE, GOFLAGS: '-trimpath' };
  const { status } = spawnSync('go', ['install', `github.com/nats-io/nats-server/v2@${PINNED_VERSION}`], {
    env,
    stdio: 'inherit',
    timeout: INSTALL_TIMEOUT_MS,
  });
  return status === 0 ? cached() : undefined;
}

function byApt(): string | undefined {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return undefined;
  console.log('getting nats-server by apt-get install, once');
  try {
    // A fresh machine has no package lists yet.
    execFileSync('apt-get', ['update'], { stdio: 'inherit', timeout: INSTALL_TIMEOUT_MS });
    execFileSync('apt-get', ['install', '-y', BINARY], { stdio: 'inherit', timeout: INSTALL_TIMEOUT_MS });
  } catch {
    return undefined;
  }
  return onPath();
}

function missing(): never {
  throw new Error(
    [
      'The tests need a nats-server, and none was found. Any one of these gives them one:',
      '  1. set $NATS_SERVER to the path of a nats-server binary (2.9 or newer), or put one on the PATH',
      `  2. install Go: the tests then run \`go install github.com/nats-io/nats-server/v2@${PINNED_VERSION}\` into .cache/`,
      '  3. as root on Debian or Ubuntu: apt-get update && apt-get install nats-server',
    ].join('\n'),
  );
}
