/**
 * `node:timers/promises` by the global timers, which Vitest can fake as it cannot fake those:
 * `vi.mock('node:timers/promises', () => import('../support/faked-sleep.ts'))`.
 */
function sleep<T>(ms: number, value?: T, { signal }: { readonly signal?: AbortSignal } = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve(value as T);
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

export { sleep as setTimeout };
