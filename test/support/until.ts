import { setTimeout as sleep } from 'node:timers/promises';

const DEADLINE_MS = 30_000;
const POLL_MS = 20;

/** Waits for what has no event of its own: asks again until the answer is neither undefined nor false, and returns it. */
export async function until<T>(what: string, ask: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  let last: unknown;
  while (performance.now() < deadlineMs) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`waited ${DEADLINE_MS} ms for ${what}; last: ${String(last)}`);
}
