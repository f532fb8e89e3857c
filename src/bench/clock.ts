/**
 * Microseconds on CLOCK_MONOTONIC, which all processes of a machine share: a time stamped by a publisher can be subtracted in any client.
 * `performance.now()` is read, not `hrtime.bigint()`: it allocates nothing.
 */
const originUs = calibrate();

export function nowUs(): number {
  return originUs + performance.now() * 1000;
}

/** The first call of either clock loads code for milliseconds, so that a single reading of both was wrong by as much: take the tightest. */
function calibrate(): number {
  let tightestMs = Number.POSITIVE_INFINITY;
  let origin = 0;
  for (let i = 0; i < 50; i++) {
    const beforeMs = performance.now();
    const hrtimeUs = Number(process.hrtime.bigint()) / 1000;
    const afterMs = performance.now();
    if (afterMs - beforeMs >= tightestMs) continue;
    tightestMs = afterMs - beforeMs;
    origin = hrtimeUs - ((beforeMs + afterMs) / 2) * 1000;
  }
  return origin;
}
