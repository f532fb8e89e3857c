import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from '../core/program.ts';
import { findProgram } from '../core/programs.ts';

export interface NatsServer {
  readonly url: string;
  readonly webSocketPort: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;

/** Free ports of its own, chosen by the server, and a store of its own, removed at the end. */
const CONFIG = (folder: string) => `
port: -1
host: 127.0.0.1
ports_file_dir: "${folder}"
max_connections: 200000
ping_interval: "10m"
jetstream { store_dir: "${folder}/store" }
websocket { host: 0.0.0.0, port: -1, no_tls: true, compression: false }
`;

/** `$NATS_SERVER`, else the one on the PATH. */
export function natsProgram(): string | undefined {
  return process.env.NATS_SERVER ?? findProgram('nats-server');
}

export async function startNatsServer(): Promise<NatsServer> {
  const program = natsProgram();
  if (program === undefined) throw new Error('no nats-server: set $NATS_SERVER or put one on the PATH');
  const folder = mkdtempSync(join(tmpdir(), 'stentor-bench-nats-'));
  const configFile = join(folder, 'nats.conf');
  writeFileSync(configFile, CONFIG(folder));
  const server = new Program(program, ['-c', configFile]);
  const stop = async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ports = await readPorts(folder, server);
    const webSocketPort = Number(new URL(ports.websocket[0]!.replace('ws:', 'http:')).port);
    return { url: ports.nats[0]!, webSocketPort, pid: server.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The server writes its ports into a file once it listens. */
async function readPorts(folder: string, server: Program): Promise<{ nats: string[]; websocket: string[] }> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadlineMs && server.alive) {
    const file = readdirSync(folder).find((name) => name.endsWith('.ports'));
    const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
    if (text.trimEnd().endsWith('}')) return JSON.parse(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nats-server did not start within ${START_TIMEOUT_MS} ms`);
}
