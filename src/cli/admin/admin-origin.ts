import type { Config } from '../../config/schema.ts';

/** With which a node listens on all of them. */
export const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

/** Where the admin listener of the node on this machine is. One that listens on all addresses is reachable on loopback too. */
export function adminOrigin({ host, port, tls }: Pick<Config['admin'], 'host' | 'port' | 'tls'>): string {
  const reachable = ANY_ADDRESS.has(host) ? '127.0.0.1' : host;
  return `${tls ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
