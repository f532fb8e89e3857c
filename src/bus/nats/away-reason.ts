import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from '@nats-io/transport-node';
import { connectDirectly } from './direct-transport.ts';

/** For a shorter interruption no reason is logged. */
const FIRST_PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;
/** OpenSSL's codes for a certificate of an unknown authority. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/**
 * Finds out why NATS refuses the node. The client retries without end, and does not report why an attempt failed (for example an expired certificate or an
 * unknown host name). So from time to time a separate attempt is made that fails with its reason.
 *
 * @param signal ends it when the connection is back
 */
export async function askWhyAway(options: ConnectionOptions, onReason: (reason: string) => void, signal: AbortSignal): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const connection = await connectDirectly({ ...options, reconnect: false });
      await connection.close();
    } catch (error) {
      if (!signal.aborted) onReason(reasonOf(error));
    }
  }
}

/** The client rejects with `undefined` if a socket closed without an error. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || error.message === '') return 'the connection was closed without a reason';
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'the server does not start with TLS, which nats.tlsHandshakeFirst requires';
  return UNKNOWN_AUTHORITY.has(code)
    ? `${error.message} (set nats.tlsCaFile to the authority that signed the server’s certificate)`
    : error.message;
}
