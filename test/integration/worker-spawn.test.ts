import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { startNode } from '../../src/node.ts';
import { testSettings } from '../support/node.ts';
import { until } from '../support/until.ts';

/** Workers are processes of what is built. */
const BUILT = pathToFileURL(resolve(import.meta.dirname, '../../dist/node.js')).href;
const NODE = process.execPath;

describe('a worker that cannot be started, since the machine has no process left for it,', () => {
  afterEach(() => {
    process.execPath = NODE;
  });

  it('is retried until it works', async () => {
    const lines: { msg: string; err?: { code?: string } }[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const built = (await import(BUILT)) as { startNode: typeof startNode };
    const { config } = loadConfig({ env: {}, flags: testSettings({ workers: 1, 'tuning.hub.workerRestartBackoffMs': 10 }) });
    const node = await built.startNode(config, { log });
    try {
      const [pid] = node.workerPids as [number];
      process.execPath = '/nonexistent/node';
      process.kill(pid, 'SIGKILL');
      const failures = () => lines.filter(({ msg, err }) => msg.startsWith('worker exited unexpectedly') && err?.code === 'ENOENT');
      await until('two failed starts', () => failures().length >= 2);
      expect(node.workerPids).toEqual([]);
      process.execPath = NODE;
      await until('a worker again', () => lines.filter(({ msg }) => msg === 'worker listening').length === 2);
      expect(node.workerPids).toHaveLength(1);
    } finally {
      await node.stop();
    }
  });
});
