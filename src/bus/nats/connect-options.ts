import { readFileSync } from 'node:fs';
import { type ConnectionOptions, credsAuthenticator, type TlsOptions } from '@nats-io/transport-node';
import type { Config } from '../../config/schema.ts';
import { BusError } from '../bus.ts';

type NatsConfig = Config['nats'];

/** A dead server is noticed after 3 s at most; the client's defaults take 6 minutes, and give up after 10 tries. */
const PING_INTERVAL_MS = 1000;
const PINGS_MISSED_MAX = 2;
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 100;

export interface ServerAddress {
  /** `nats://host:4222`, without a login. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/** Splits the comma-separated list, and takes logins out of the URLs: the client does not read them there, and no log may show them. */
export function parseServers(list: string): ServerAddress[] {
  return list
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(parseServer);
}

/** The servers as an operator may see them. */
export function describeServers(list: string): string {
  return parseServers(list)
    .map(({ url }) => url)
    .join(', ');
}

/** @throws BusError `bus_unreachable` when the credentials file cannot be read */
export function connectionOptions(nats: NatsConfig, name: string): ConnectionOptions {
  const servers = parseServers(nats.url);
  return {
    servers: servers.map(({ url }) => url),
    name,
    reconnect: true,
    maxReconnectAttempts: -1,
    // A server that refuses the login now may take it after its config was reloaded: a node does not give up.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_MISSED_MAX,
    // A stack trace for each request costs more than the request.
    noAsyncTraces: true,
    ...login(nats, servers),
    ...tls(nats),
  };
}

function parseServer(text: string): ServerAddress {
  const [, scheme = 'nats://', loginText, host = ''] = /^([a-z]+:\/\/)?(?:([^@/]*)@)?(.*?)\/?$/i.exec(text) ?? [];
  const url = `${scheme}${host}`;
  if (loginText === undefined) return { url };
  const colon = loginText.indexOf(':');
  if (colon === -1) return { url, token: decodeURIComponent(loginText) };
  return { url, user: decodeURIComponent(loginText.slice(0, colon)), password: decodeURIComponent(loginText.slice(colon + 1)) };
}

function login(nats: NatsConfig, servers: readonly ServerAddress[]): ConnectionOptions {
  if (nats.credsFile !== '') return { authenticator: credsAuthenticator(readCreds(nats.credsFile)) };
  if (nats.token !== '') return { token: nats.token };
  if (nats.user !== '') return { user: nats.user, pass: nats.password };
  const inUrl = servers.find(({ user, token }) => user !== undefined || token !== undefined);
  if (inUrl?.token !== undefined) return { token: inUrl.token };
  if (inUrl?.user !== undefined) return { user: inUrl.user, pass: inUrl.password ?? '' };
  return {};
}

function readCreds(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new BusError('bus_unreachable', `nats.credsFile cannot be read: ${path}`, { cause });
  }
}

function tls({ tlsCaFile, tlsCertFile, tlsKeyFile }: NatsConfig): ConnectionOptions {
  const options: TlsOptions = {
    ...(tlsCaFile !== '' && { caFile: tlsCaFile }),
    ...(tlsCertFile !== '' && { certFile: tlsCertFile }),
    ...(tlsKeyFile !== '' && { keyFile: tlsKeyFile }),
  };
  return Object.keys(options).length > 0 ? { tls: options } : {};
}
