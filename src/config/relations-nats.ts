import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

const SERVER = /^((nats|tls|ws|wss):\/\/)?([^@/\s]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?\/?$/;

export function natsUrlsAreUrls({ nats }: Config): Problem[] {
  if (nats.url === '') return [];
  const bad = nats.url.split(',').some((server) => !SERVER.test(server.trim()));
  if (!bad) return [];
  return [{ path: 'nats.url', value: nats.url, expected: 'expected servers like nats://host:4222, comma-separated' }];
}

export function natsLoginIsOne({ nats }: Config): Problem[] {
  const ways = [nats.credsFile !== '', nats.token !== '', nats.user !== ''].filter(Boolean).length;
  if (ways > 1) return [{ path: 'nats', expected: 'expected one way to log in: credsFile, token, or user with password' }];
  if (nats.password !== '' && nats.user === '') return [{ path: 'nats.user', value: '', expected: 'expected a user for nats.password' }];
  return [];
}

/** Asking for replicas and getting the memory bus would be a promise silently broken. */
export function replicasNeedNats({ nats }: Config): Problem[] {
  if (nats.streamReplicas === 1 || nats.url !== '') return [];
  return [
    { path: 'nats.streamReplicas', value: nats.streamReplicas, expected: 'expected nats.url to be set: the memory bus keeps one copy' },
  ];
}
