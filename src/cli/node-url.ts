import type { Config } from '../config/schema.ts';
import { ANY_ADDRESS } from './admin/admin-origin.ts';

/** Where clients of the node on this machine connect. */
export function nodeUrl({ host, port, path, tls }: Pick<Config, 'host' | 'port' | 'path' | 'tls'>): string {
  const reachable = ANY_ADDRESS.has(host) ? 'localhost' : host;
  return `${tls.certFile === '' ? 'ws' : 'wss'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}${path}`;
}
