import { execFile } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const OUT = join(ROOT, '.cache', 'loadtest');

const CHILDREN = {
  swarm: 'loadtest/swarm/main.ts',
  uws: 'loadtest/servers/uws-main.ts',
  'uws-nats': 'loadtest/servers/uws-nats-main.ts',
  ws: 'loadtest/servers/ws-main.ts',
  socketio: 'loadtest/servers/socketio-main.ts',
  'nats-feeder': 'loadtest/servers/nats-feeder-main.ts',
  'stentor-node': 'loadtest/servers/stentor-node-main.ts',
  'sdk-client': 'loadtest/servers/sdk-client-main.ts',
  'user-interest': 'loadtest/servers/user-interest-main.ts',
  'hook-service': 'loadtest/servers/hook-service-main.ts',
  'centrifugo-feeder': 'loadtest/servers/centrifugo-feeder-main.ts',
} as const;

export type ChildName = keyof typeof CHILDREN;

/** Builds the child processes to plain JavaScript: what is measured must run no TypeScript loader. */
export async function buildChildren(): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: CHILDREN,
    outdir: OUT,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
}

export function childScript(name: ChildName): string {
  return join(OUT, `${name}.mjs`);
}

let floor: Promise<string> | undefined;

/**
 * Compiles the floor, once a process.
 *
 * @param compiler name or path of a C compiler
 * @returns the program's path
 * @throws Error with what the compiler said
 */
export function buildFloor(compiler: string): Promise<string> {
  floor ??= compileFloor(compiler);
  return floor;
}

async function compileFloor(compiler: string): Promise<string> {
  mkdirSync(OUT, { recursive: true });
  const file = join(OUT, 'floor');
  // A program that runs cannot be written over, but its name can be given to another one.
  const fresh = `${file}.${process.pid}`;
  await promisify(execFile)(compiler, ['-O2', '-o', fresh, join(ROOT, 'loadtest/servers/floor.c')]);
  renameSync(fresh, file);
  return file;
}
