import type { Config } from '../config/schema.ts';
import { authorityOf } from './admin/admin-origin.ts';

/** Where clients of the node on this machine connect. */
export function nodeUrl({ host, port, path, tls }: Pick<Config, 'host' | 'port' | 'path' | 'tls'>): string {
  return `${tls.certFile === '' ? 'ws' : 'wss'}://${authorityOf(host, port, 'localhost')}${path}`;
}
