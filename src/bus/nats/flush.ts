import { setImmediate as turn } from 'node:timers/promises';
import { ifInTime } from '../../telemetry/in-time.ts';
import type { Connection } from './connection.ts';

const TIMEOUT_MS = 1000;

const pending = new WeakMap<Connection, Promise<void>>();

/**
 * Resolves when the server has received everything sent before; or soon, if it does not answer. Never rejects. All calls of one loop turn share one question to
 * the server, because there may be thousands of subscriptions in a turn.
 */
export function flush(connection: Connection): Promise<void> {
  const known = pending.get(connection);
  if (known !== undefined) return known;
  const flushed = flushAtTurnEnd(connection);
  pending.set(connection, flushed);
  return flushed;
}

async function flushAtTurnEnd(connection: Connection): Promise<void> {
  await turn();
  pending.delete(connection);
  if (connection.connected) await ifInTime(TIMEOUT_MS, connection.nc.flush());
}
