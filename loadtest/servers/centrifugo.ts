import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childScript } from '../build.ts';
import { freePort } from '../core/free-port.ts';
import { Program } from '../core/program.ts';
import { findProgram } from '../core/programs.ts';
import { Child } from '../core/rpc.ts';
import type { RunningServer, ServerUnderTest } from './server.ts';

const START_TIMEOUT_MS = 15_000;
const API_KEY = 'stentor-bench';

/** `$CENTRIFUGO`, else the one on the PATH. */
function centrifugoProgram(): string | undefined {
  return process.env.CENTRIFUGO ?? findProgram('centrifugo');
}

/** Version 5's flat names and version 6's nested ones; each version warns about the other's and goes on. */
function config(port: number): object {
  // Seldom: pings come joined with publications, and are not answered then.
  const pings = { ping_interval: '10m', pong_timeout: '1m' };
  const v6 = { client: { allow_anonymous_connect_without_token: true, allowed_origins: ['*'], queue_max_size: 268_435_456, ...pings } };
  const v6Channels = { channel: { without_namespace: { allow_subscribe_for_anonymous: true, allow_subscribe_for_client: true } } };
  const v5 = {
    port,
    address: '0.0.0.0',
    api_key: API_KEY,
    log_level: 'error',
    allow_anonymous_connect_without_token: true,
    allow_subscribe_for_anonymous: true,
    allow_subscribe_for_client: true,
    client_queue_max_size: 268_435_456,
    websocket_compression: false,
  };
  return { ...v5, ...v6, ...v6Channels, http_server: { port, address: '0.0.0.0' }, http_api: { key: API_KEY }, log: { level: 'error' } };
}

/** Centrifugo on its memory engine, published to through its HTTP API in batches. */
export const centrifugo: ServerUnderTest = {
  name: 'centrifugo',
  title: 'Centrifugo',
  missing: () => (centrifugoProgram() === undefined ? 'no centrifugo: set $CENTRIFUGO or put one on the PATH' : undefined),
  async start({ nodes }): Promise<RunningServer> {
    if (nodes !== 1) throw new Error('centrifugo runs as one node here');
    const folder = mkdtempSync(join(tmpdir(), 'stentor-bench-centrifugo-'));
    const port = await freePort();
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify(config(port)));
    const server = new Program(centrifugoProgram()!, ['--config', file]);
    const feeder = new Child('centrifugo-feeder', childScript('centrifugo-feeder'));
    const stop = async () => {
      await feeder.stop();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      await listening(port, server);
    } catch (error) {
      await stop();
      throw error;
    }
    const feed: RunningServer['feed'] = (plan) => feeder.call('feed', { plan, port, apiKey: API_KEY });
    return { dialect: 'centrifugo', ports: [port], pids: [server.pid], selfFed: false, feed, stop };
  },
};

async function listening(port: number, server: Program): Promise<void> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadlineMs && server.alive) {
    const answered = await fetch(`http://127.0.0.1:${port}/connection/websocket`).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`centrifugo did not listen within ${START_TIMEOUT_MS} ms`);
}
