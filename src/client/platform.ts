/**
 * The globals that this library uses besides timers and promises. All are optional: React Native has no `performance.timeOrigin`, old pages have no `crypto`,
 * and an embedded engine may have neither.
 */
interface Globals {
  readonly performance?: { readonly timeOrigin?: number; now?(): number };
  readonly crypto?: { getRandomValues?(numbers: Uint32Array): Uint32Array };
  readonly console?: { warn?(...values: unknown[]): void };
}

const globals: Globals = globalThis as Globals;

/** Milliseconds since 1970. Monotonic if the platform has such a clock; otherwise from the wall clock, and setting it affects timers. */
export function makeClock({ performance }: Pick<Globals, 'performance'> = globals): () => number {
  const startMs = performance?.now?.();
  if (performance === undefined || !Number.isFinite(startMs)) return Date.now;
  const { timeOrigin } = performance;
  const originMs = Number.isFinite(timeOrigin) && timeOrigin !== 0 ? (timeOrigin as number) : Date.now() - (startMs as number);
  return () => originMs + (performance.now as () => number)();
}

/** 96 random bits, for unique ids, not for secrets. */
export function randomText(): string {
  const numbers = new Uint32Array(3).map(() => Math.random() * 2 ** 32);
  // Unlike randomUUID, it is available on pages without TLS too.
  globals.crypto?.getRandomValues?.(numbers);
  return numbers.join('-');
}

/** Marks a rejection as handled, so that it does not crash a process whose application ignores the promise. */
export function handled<T>(start: () => Promise<T>): Promise<T> {
  const outcome = start();
  outcome.catch(() => {});
  return outcome;
}

export function warn(...values: unknown[]): void {
  globals.console?.warn?.(...values);
}

/** Runs the function after the current code has ended, before any other event. An exception reaches the event loop. */
export function soon(run: () => void): void {
  // An unhandled rejection would end a Node process as an exception does, but with less of a stack trace.
  void Promise.resolve().then(() => {
    try {
      run();
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
    }
  });
}
