import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from '../core/program.ts';
import { findProgram } from '../core/programs.ts';

export interface NatsServer {
  readonly url: string;
  readonly webSocketPort: number;
  readonly pid: number;
  /** Of a cluster: where its other servers connect. */
  readonly routePort: number | undefined;
  /** Without a goodbye. */
  kill(): void;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;

/** Free ports of its own, chosen by the server, and a store of its own, removed at the end. */
const CONFIG = (folder: string, more: string) => `
port: -1
host: 127.0.0.1
ports_file_dir: "${folder}"
max_connections: 200000
ping_interval: "10m"
websocket { host: 0.0.0.0, port: -1, no_tls: true, compression: false }
${more}
`;

/** `$NATS_SERVER`, else the one on the PATH. */
export function natsProgram(): string | undefined {
  return process.env.NATS_SERVER ?? findProgram('nats-server');
}

/** Servers that find each other by the first of them. Without JetStream. */
export async function startNatsCluster(count: number): Promise<NatsServer[]> {
  const servers: NatsServer[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const first = servers[0]?.routePort;
      const routes = first === undefined ? '' : `routes: [ "nats-route://127.0.0.1:${first}" ]`;
      servers.push(await start((_) => `server_name: s${i}\ncluster { name: bench, listen: "127.0.0.1:-1", ${routes} }`));
    }
    return servers;
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

export function startNatsServer(): Promise<NatsServer> {
  return start((folder) => `jetstream { store_dir: "${folder}/store" }`);
}

/** @param more of its config, by its folder */
async function start(more: (folder: string) => string): Promise<NatsServer> {
  const program = natsProgram();
  if (program === undefined) throw new Error('no nats-server: set $NATS_SERVER or put one on the PATH');
  const folder = mkdtempSync(join(tmpdir(), 'stentor-bench-nats-'));
  const configFile = join(folder, 'nats.conf');
  writeFileSync(configFile, CONFIG(folder, more(folder)));
  const server = new Program(program, ['-c', configFile]);
  const stop = async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ports = await readPorts(folder, server);
    const webSocketPort = Number(new URL(ports.websocket[0]!.replace('ws:', 'http:')).port);
    const route = ports.cluster?.[0];
    const routePort = route === undefined ? undefined : Number(new URL(route.replace(/^[a-z]+:/, 'http:')).port);
    return { url: ports.nats[0]!, webSocketPort, pid: server.pid, routePort, kill: () => void server.kill(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The server writes its ports into a file once it listens. */
async function readPorts(folder: string, server: Program): Promise<{ nats: string[]; websocket: string[]; cluster?: string[] }> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadlineMs && server.alive) {
    const file = readdirSync(folder).find((name) => name.endsWith('.ports'));
    const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
    if (text.trimEnd().endsWith('}')) return JSON.parse(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nats-server did not start within ${START_TIMEOUT_MS} ms`);
}
