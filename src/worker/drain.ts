import { CLOSE_CODES } from '../protocol/close-codes.ts';
import type { Connection } from './connection.ts';

const STEP_MS = 50;
/** How long clients that are told to leave may take to come back: spreads them over the other nodes. */
const RECONNECT_WINDOW_MS = { min: 0, max: 5000 };

/**
 * Says goodbye to all connections at a pace, so that the nodes that take them are not overrun: `closing` with the window to come back in, then the close.
 * Resolves when every connection has been told.
 */
export async function drainConnections(connections: ReadonlySet<Connection>, perSecond: number): Promise<void> {
  const perStep = Math.max(1, Math.ceil((perSecond * STEP_MS) / 1000));
  const waiting = [...connections];
  for (let at = 0; at < waiting.length; at += perStep) {
    for (const connection of waiting.slice(at, at + perStep)) {
      connection.send({ type: 'closing', code: CLOSE_CODES.draining, reason: 'node draining', reconnectAfterMs: RECONNECT_WINDOW_MS });
      connection.end('draining');
    }
    if (at + perStep < waiting.length) await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
