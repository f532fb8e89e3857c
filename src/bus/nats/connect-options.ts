import type { ConnectionOptions, TlsOptions } from '@nats-io/transport-node';
import { usesNatsTls } from '../../config/relations-nats.ts';
import type { Config } from '../../config/schema.ts';
import { loginOf } from './login.ts';
import { parseServers } from './servers.ts';

type NatsConfig = Config['nats'];

/** A dead server is detected after 3 s at most. With the client's defaults it takes 6 minutes, and it gives up after 10 attempts. */
const PING_INTERVAL_MS = 1000;
const PINGS_MISSED_MAX = 2;
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 100;

/**
 * @param onTrouble called with the reason if a login cannot be read at a later attempt
 * @throws BusError `bus_unreachable` if a file with the login cannot be used
 */
export function connectionOptions(nats: NatsConfig, name: string, onTrouble: (reason: string) => void): ConnectionOptions {
  const login = loginOf(nats, onTrouble);
  return {
    servers: parseServers(nats.url).map(({ url }) => url),
    name,
    reconnect: true,
    maxReconnectAttempts: -1,
    // A server that refuses the login now may accept it after a reload of its configuration or a new login. So a node does not give up.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_MISSED_MAX,
    // Creating a stack trace for each request costs more than the request.
    noAsyncTraces: true,
    ...(nats.inboxPrefix !== '' && { inboxPrefix: nats.inboxPrefix }),
    ...(login !== undefined && { authenticator: login.authenticator }),
    // The client reads the files again for every attempt.
    ...(usesNatsTls(nats) && { tls: tlsOptions(nats) }),
  };
}

/** With any of these the client sends nothing to a server that does not support TLS, with any scheme in the URL. The client itself ignores the scheme. */
function tlsOptions({ tlsCaFile, tlsCertFile, tlsKeyFile, tlsHandshakeFirst }: NatsConfig): TlsOptions {
  return {
    ...(tlsCaFile !== '' && { caFile: tlsCaFile }),
    ...(tlsCertFile !== '' && { certFile: tlsCertFile }),
    ...(tlsKeyFile !== '' && { keyFile: tlsKeyFile }),
    ...(tlsHandshakeFirst && { handshakeFirst: true }),
  };
}
