const PERIOD_MS = 10;
/** After a stall of up to a second, the missed calls are made up for, a few periods at a time. Catching up all at once would not look like a feed. */
const STALL_MAX_MS = 1000;
const PERIODS_AT_ONCE_MAX = 5;

/**
 * Calls `publish` `perSecond` times a second while `isWanted`, a few calls at a time: a timer for each of a thousand calls a second would cost more than the
 * publications.
 *
 * @returns a function that stops it
 */
export function pace(perSecond: number, isWanted: () => boolean, publish: () => void): () => void {
  const perPeriod = (perSecond * PERIOD_MS) / 1000;
  let lastMs = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    due = Math.min(due + ((nowMs - lastMs) / 1000) * perSecond, (STALL_MAX_MS / 1000) * perSecond);
    lastMs = nowMs;
    if (!isWanted()) due = 0;
    const now = Math.floor(Math.min(due, Math.max(1, PERIODS_AT_ONCE_MAX * perPeriod)));
    for (let i = 0; i < now; i++) publish();
    due -= now;
  }, PERIOD_MS);
  return () => clearInterval(timer);
}
