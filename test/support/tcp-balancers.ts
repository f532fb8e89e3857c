import { existsSync } from 'node:fs';
import { findTool } from './find-tool.ts';
import { freePort } from './free-port.ts';
import { type Backends, configOf, envoyArgs, file, nginxArgs, type ProxyKind } from './page-proxies.ts';
import { ProxyProcess } from './proxy-process.ts';

/** nginx has this part in a package of its own (Debian: libnginx-mod-stream). */
const NGINX_STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so';

export interface TcpBalancer extends Pick<ProxyKind, 'name' | 'program' | 'checksHealth'> {
  /** The caller stops it. */
  start(backends: Backends, changes?: Readonly<Record<string, string>>): Promise<ProxyProcess>;
}

const addresses = ([one, two]: Backends) => ({
  '10.0.0.1:8080': `127.0.0.1:${one?.running.port}`,
  '10.0.0.2:8080': `127.0.0.1:${two?.running.port}`,
});

async function started({ program }: TcpBalancer, argsAt: (port: number) => string[]): Promise<ProxyProcess> {
  const port = freePort();
  return ProxyProcess.start(program as string, argsAt(port), port);
}

/** The configurations of the page for TCP, in front of nodes that terminate TLS. Those that are not installed have no program. */
export const TCP_BALANCERS: readonly TcpBalancer[] = [
  {
    name: 'nginx',
    program: existsSync(NGINX_STREAM) ? findTool('NGINX', 'nginx') : undefined,
    checksHealth: false,
    start(nodes, changes = {}) {
      return started(this, (port) =>
        nginxArgs(
          configOf('nginx', '# nginx-tcp.conf', {
            'modules/ngx_stream_module.so': NGINX_STREAM,
            'worker_processes auto;': 'worker_processes 1;',
            'worker_rlimit_nofile 131072;': '',
            'worker_connections 65536;': 'worker_connections 512;',
            'listen 443;': `listen 127.0.0.1:${port};`,
            ...addresses(nodes),
            ...changes,
          }),
        ),
      );
    },
  },
  {
    name: 'HAProxy',
    program: findTool('HAPROXY', 'haproxy'),
    checksHealth: true,
    start(nodes, changes = {}) {
      const [one, two] = nodes;
      const config = (port: number) =>
        configOf('haproxy', '# haproxy-tcp.cfg', {
          'maxconn 100000': 'maxconn 500',
          'bind :443': `bind 127.0.0.1:${port}`,
          '10.0.0.1:8080 check port 9090': `10.0.0.1:8080 check port ${one?.running.adminPort}`,
          '10.0.0.2:8080 check port 9090': `10.0.0.2:8080 check port ${two?.running.adminPort}`,
          'inter 2s': 'inter 200ms',
          ...addresses(nodes),
          ...changes,
        });
      return started(this, (port) => ['-db', '-f', file('haproxy.cfg', config(port))]);
    },
  },
  {
    name: 'Envoy',
    program: findTool('ENVOY', 'envoy'),
    checksHealth: true,
    start(nodes, changes = {}) {
      const [one, two] = nodes;
      const config = (port: number) =>
        configOf('yaml', '# envoy-tcp.yaml', {
          'address: 0.0.0.0, port_value: 443': `address: 127.0.0.1, port_value: ${port}`,
          'address: 10.0.0.1, port_value: 8080': `address: 127.0.0.1, port_value: ${one?.running.port}`,
          'address: 10.0.0.2, port_value: 8080': `address: 127.0.0.1, port_value: ${two?.running.port}`,
          'interval: 2s': 'interval: 0.2s',
          ...changes,
        });
      return started(this, (port) => envoyArgs(config(port), nodes));
    },
  },
];
