import type { Config } from '../../config/schema.ts';

const ANY_ADDRESS = new Set(['0.0.0.0', '::', '']);

/** Where the admin listener of the node on this machine is. One that listens on all addresses is reachable on loopback too. */
export function adminOrigin({ host, port, tls }: Pick<Config['admin'], 'host' | 'port' | 'tls'>): string {
  const reachable = ANY_ADDRESS.has(host) ? '127.0.0.1' : host;
  return `${tls ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
