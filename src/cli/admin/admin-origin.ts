import type { Config } from '../../config/schema.ts';

/** With which a node listens on all of them. */
const ANY_ADDRESS = new Set(['0.0.0.0', '::', '']);

/** Host and port of a URL to a listener of this machine. One that listens on all addresses is reachable on loopback too. */
export function authorityOf(host: string, port: number, loopback: string): string {
  const reachable = ANY_ADDRESS.has(host) ? loopback : host;
  return `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Where the admin listener of the node on this machine is. */
export function adminOrigin({ host, port, tls }: Pick<Config['admin'], 'host' | 'port' | 'tls'>): string {
  return `${tls ? 'https' : 'http'}://${authorityOf(host, port, '127.0.0.1')}`;
}
