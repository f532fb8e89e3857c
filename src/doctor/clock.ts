import { formatDuration } from '../telemetry/format.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const NOTICEABLE_MS = 500;
const WRONG_MS = 5000;

/** @param offsetMs the other clock minus the one here */
export function judgeClock(check: string, whose: string, offsetMs: number): Finding {
  const distance = Math.abs(offsetMs);
  const apart = distance < 1000 ? `${distance} ms` : formatDuration(distance);
  if (distance <= NOTICEABLE_MS) return ok(check, `the clocks of ${whose} and of this machine differ by ${apart}`);
  const text = `the clock of ${whose} is ${apart} ${offsetMs < 0 ? 'behind' : 'ahead of'} the clock of this machine`;
  const advice =
    'Synchronize the clocks (chrony, systemd-timesyncd): tokens are refused too early or too late, and times of publications are wrong';
  return distance > WRONG_MS ? problem(check, text, advice) : warning(check, text, advice);
}
