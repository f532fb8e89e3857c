/**
 * Microseconds on CLOCK_MONOTONIC, which all processes of a machine share: a time stamped by a publisher can be subtracted in any client.
 * `performance.now()` is read, not `hrtime.bigint()`: it allocates nothing.
 */
const originUs = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;

export function nowUs(): number {
  return originUs + performance.now() * 1000;
}
