import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive } from '../support/is-alive.ts';
import { until } from '../support/until.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const folders: string[] = [];
const started: ChildProcessWithoutNullStreams[] = [];

afterEach(() => {
  for (const { pid = 0 } of started.splice(0)) if (isAlive(-pid)) process.kill(-pid, 'SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** `npm start` as package.json has it, but on the build that is there: a build now would take it away from other tests. */
function npmStart(...args: string[]): ChildProcessWithoutNullStreams {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-start-'));
  folders.push(folder);
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, scripts: { ...manifest.scripts, build: 'node --version' } }));
  for (const name of ['dist', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name));
  const { PATH = '', HOME = '' } = process.env;
  const flags = ['--port', '0', '--admin-port', '0', '--set', 'log.pretty=false', ...args];
  // In its own process group, so that all its child processes can be found and ended.
  const npm = spawn('npm', ['start', '--', ...flags], { cwd: folder, env: { PATH, HOME }, detached: true });
  started.push(npm);
  npm.stdin.end();
  return npm;
}

async function untilStarted(child: ChildProcessWithoutNullStreams): Promise<{ readonly port: number; readonly output: () => string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const line = () => /"port":(\d+)[^\n]*"msg":"node started"/.exec(output);
  await until('the node', async () => line() !== null);
  return { port: Number(line()?.[1]), output: () => output };
}

async function accepts(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** An address of this machine that is not loopback, where it has one. */
const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

describe('npm start', () => {
  it.each(['0', '1'])('ends the node and frees its port when npm is sent SIGTERM, with %s worker processes', async (workers) => {
    const child = npmStart('--workers', workers);
    const { port, output } = await untilStarted(child);
    expect(await accepts('127.0.0.1', port)).toBe(true);
    child.kill('SIGTERM');
    await once(child, 'exit');
    await until('the node and its workers to end', async () => !isAlive(-(child.pid as number)));
    expect(await accepts('127.0.0.1', port)).toBe(false);
    await until('its last line', async () => output().includes('node stopped'));
  });

  it.runIf(elsewhere !== undefined)('is on loopback only, unless a host is set', async () => {
    const child = npmStart('--workers', '0');
    const { port, output } = await untilStarted(child);
    expect(await accepts(elsewhere as string, port)).toBe(false);
    await until('the invitation', async () => output().includes('--set host=0.0.0.0'));
    child.kill('SIGTERM');
    await once(child, 'exit');
    const open = npmStart('--workers', '0', '--set', 'host=0.0.0.0');
    expect(await accepts(elsewhere as string, (await untilStarted(open)).port)).toBe(true);
    open.kill('SIGTERM');
    await once(open, 'exit');
  });
});
