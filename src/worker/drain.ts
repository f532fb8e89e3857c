import { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason } from '../protocol/close-codes.ts';
import type { Connection } from '../session/connection.ts';

const STEP_MS = 50;
/** How long clients that are told to leave may take to come back: spreads them over the other nodes. */
const RECONNECT_WINDOW_MS = { min: 0, max: 5000 };

export interface Goodbye {
  readonly reason: CloseReason;
  readonly perSecond: number;
  /** Asked before each step; false: who has not been told stays. */
  readonly goOn?: () => boolean;
}

/**
 * Says goodbye to all connections at a pace, so that the nodes that take them are not overrun: `closing` with the window to come back in, then the close.
 * Resolves when every connection has been told.
 */
export async function sayGoodbye(connections: Iterable<Connection>, { reason, perSecond, goOn = () => true }: Goodbye): Promise<void> {
  const perStep = Math.max(1, Math.ceil((perSecond * STEP_MS) / 1000));
  const waiting = [...connections];
  for (let at = 0; at < waiting.length && goOn(); at += perStep) {
    for (const connection of waiting.slice(at, at + perStep)) {
      connection.send({
        type: 'closing',
        code: CLOSE_CODES[reason],
        reason: CLOSE_REASON_TEXTS[reason],
        reconnectAfterMs: RECONNECT_WINDOW_MS,
      });
      connection.end(reason);
    }
    if (at + perStep < waiting.length) await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
