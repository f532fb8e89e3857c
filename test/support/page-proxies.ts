import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeCertificates } from './certificates.ts';
import { findTool } from './find-tool.ts';
import { freePort } from './free-port.ts';
import type { TestNode } from './node.ts';
import { ProxyProcess } from './proxy-process.ts';

/** The page that users copy from. */
export const PAGE = readFileSync(resolve(import.meta.dirname, '../../src/transport/PROXIES.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'stentor-proxies-'));
/** Of the proxies, or of nodes behind proxies that pass TLS on. */
export const certs = makeCertificates(folder);
/** Of the certificates that the proxies have. */
export const ca = readFileSync(certs.ca);
const bundle = join(folder, 'bundle.pem');
writeFileSync(bundle, readFileSync(certs.server.cert, 'utf8') + readFileSync(certs.server.key, 'utf8'));

export type Backends = readonly TestNode[];

/** The configuration of the page, with the addresses, files and times of a test. */
export function configOf(language: string, first: string, replacements: Readonly<Record<string, string>>): string {
  const found = Array.from(PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')), ([, text = '']) => text);
  let config = found.find((text) => text.startsWith(first));
  if (config === undefined) throw new Error(`the page has no ${first}`);
  for (const [from, to] of Object.entries(replacements)) {
    if (!config.includes(from)) throw new Error(`${first} has no ${from}`);
    config = config.replaceAll(from, to);
  }
  return config;
}

export interface ProxyKind {
  readonly name: string;
  readonly program: string | undefined;
  /** Bodies above the limit of the page are refused by the proxy. */
  readonly limitsBodies: boolean;
  /** Asks the nodes whether they are ready. */
  readonly checksHealth: boolean;
  /** The caller stops it. */
  start(backends: Backends, changes?: Readonly<Record<string, string>>): Promise<ProxyProcess>;
}

/** Removes the files of all proxies. */
export function removeProxyFiles(): void {
  rmSync(folder, { recursive: true, force: true });
}

function run({ program }: ProxyKind, args: readonly string[], port: number): Promise<ProxyProcess> {
  return ProxyProcess.start(program as string, args, port);
}

/** A file with this text, until {@link removeProxyFiles}. */
export function file(name: string, text: string): string {
  const path = join(mkdtempSync(join(folder, 'proxy-')), name);
  writeFileSync(path, text);
  return path;
}

/** @param config with the page's admin ports */
export function envoyArgs(config: string, nodes: readonly (TestNode | undefined)[]): string[] {
  const [one, two] = nodes.map((node) => `{ port_value: ${node?.running.adminPort} }`);
  const [before, middle, after] = config.split('{ port_value: 9090 }');
  const path = file('envoy.yaml', `${before}${one}${middle}${two}${after}`);
  return ['--concurrency', '1', '--disable-hot-restart', '--drain-time-s', '1', '-l', 'warning', '-c', path];
}

/** Arguments of nginx in the foreground, with its files in a folder of its own. */
export function nginxArgs(config: string): string[] {
  const place = mkdtempSync(join(folder, 'nginx-'));
  mkdirSync(join(place, 'logs'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(place, kind)};`).join(' ');
  const path = file('nginx.conf', config.replace('http {', `http {\n  access_log off; ${temporary}`));
  // Otherwise the workers of root are `nobody`, who may not write there.
  const user = process.getuid?.() === 0 ? ' user root;' : '';
  return ['-p', place, '-c', path, '-g', `daemon off; pid ${join(place, 'pid')}; error_log stderr;${user}`];
}

/** The proxies of the page. Those that are not installed have no program. */
export const PROXY_KINDS: readonly ProxyKind[] = [
  {
    name: 'nginx',
    program: findTool('NGINX', 'nginx'),
    limitsBodies: true,
    checksHealth: false,
    async start([one, two], changes = {}) {
      const port = freePort();
      const config = configOf('nginx', '# nginx.conf', {
        'worker_processes auto;': 'worker_processes 1;',
        'worker_rlimit_nofile 131072;': '',
        'worker_connections 65536;': 'worker_connections 512;',
        '10.0.0.1:8080': `127.0.0.1:${one?.running.port}`,
        '10.0.0.2:8080': `127.0.0.1:${two?.running.port}`,
        'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
        '/etc/nginx/tls/tls.crt': certs.server.cert,
        '/etc/nginx/tls/tls.key': certs.server.key,
        ...changes,
      });
      return run(this, nginxArgs(config), port);
    },
  },
  {
    name: 'HAProxy',
    program: findTool('HAPROXY', 'haproxy'),
    limitsBodies: true,
    checksHealth: true,
    async start([one, two], changes = {}) {
      const port = freePort();
      const config = configOf('haproxy', '# haproxy.cfg', {
        'maxconn 100000': 'maxconn 500',
        '10.0.0.1:8080': `127.0.0.1:${one?.running.port}`,
        '10.0.0.2:8080': `127.0.0.1:${two?.running.port}`,
        'cookie node1 check port 9090': `cookie node1 check port ${one?.running.adminPort}`,
        'cookie node2 check port 9090': `cookie node2 check port ${two?.running.adminPort}`,
        'inter 2s': 'inter 200ms',
        'bind :443': `bind 127.0.0.1:${port}`,
        '/etc/haproxy/tls.pem': bundle,
        ...changes,
      });
      return run(this, ['-db', '-f', file('haproxy.cfg', config)], port);
    },
  },
  {
    name: 'Envoy',
    program: findTool('ENVOY', 'envoy'),
    limitsBodies: false,
    checksHealth: true,
    async start([one, two], changes = {}) {
      const port = freePort();
      const config = configOf('yaml', '# envoy.yaml', {
        'address: 0.0.0.0, port_value: 443': `address: 127.0.0.1, port_value: ${port}`,
        'address: 10.0.0.1, port_value: 8080': `address: 127.0.0.1, port_value: ${one?.running.port}`,
        'address: 10.0.0.2, port_value: 8080': `address: 127.0.0.1, port_value: ${two?.running.port}`,
        '/etc/envoy/tls/tls.crt': certs.server.cert,
        '/etc/envoy/tls/tls.key': certs.server.key,
        'interval: 2s': 'interval: 0.2s',
        ...changes,
      });
      return run(this, envoyArgs(config, [one, two]), port);
    },
  },
];
