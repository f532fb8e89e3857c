import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from '@nats-io/transport-node';
import { connectDirectly } from './direct-transport.ts';

/** What is back sooner needs no reason. */
const FIRST_PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;
/** What OpenSSL says of a certificate that nobody vouches for. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/**
 * Finds out why NATS does not take the node back. The client tries again for ever, and does not say why an attempt failed (a certificate that has
 * expired, a name that is not found); so beside it, now and then, one attempt is made that fails with its reason.
 *
 * @param signal ends it: the connection is there again
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

/** The client rejects with `undefined` where a socket closed without an error. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || error.message === '') return 'the connection was closed without a reason';
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'the server does not begin with TLS, as nats.tlsHandshakeFirst wants it to';
  return UNKNOWN_AUTHORITY.has(code) ? `${error.message} (nats.tlsCaFile: the authority that signed the server’s)` : error.message;
}
