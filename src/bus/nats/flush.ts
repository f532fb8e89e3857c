import type { Connection } from './connection.ts';

const TIMEOUT_MS = 1000;

/** Resolves when the server has received everything sent before; or soon, if it does not answer. Never rejects. */
export async function flush(connection: Connection): Promise<void> {
  if (connection.connected) await within(TIMEOUT_MS, connection.nc.flush());
}

/** Waits for work up to a timeout, whatever its result. */
export async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]).catch(() => undefined);
  clearTimeout(timer);
}
