import { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason } from '../protocol/close-codes.ts';
import type { Connection } from '../session/connection.ts';

const STEP_MS = 50;
/** The time window in which clients that are told to leave should reconnect: it spreads them over time. */
const RECONNECT_WINDOW_MS = { min: 0, max: 5000 };

export interface Goodbye {
  readonly reason: CloseReason;
  readonly perSecond: number;
  /** Called before each step; false: connections that have not been told stay. */
  readonly goOn?: () => boolean;
}

/**
 * Drains all connections at a limited rate, so that the nodes that get them are not overloaded: `closing` with the window to reconnect in, then the close.
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
