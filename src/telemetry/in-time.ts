/**
 * The result of work that may take so long. It is not stopped: what comes later is ignored.
 *
 * @param late the error if it takes longer
 */
export async function inTime<T>(timeoutMs: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same without errors. @returns undefined: it fails, or takes longer */
export function ifInTime<T>(timeoutMs: number, work: Promise<T>): Promise<T | undefined> {
  return inTime(timeoutMs, work, () => new Error('timeout')).catch(() => undefined);
}
