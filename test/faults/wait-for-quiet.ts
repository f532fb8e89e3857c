import { availableParallelism } from 'node:os';
import { machineCpuSeconds } from '../../loadtest/core/proc.ts';
import { seconds } from './time.ts';

const WINDOW_SECONDS = 3;
/** Of all cores; builds and tests beside take more. */
const BUSY_SHARE = 0.25;

/** Resolves when little else runs on the machine, or after so long: figures in milliseconds mean little on one that is shared. */
export async function whenQuiet(minutes: number): Promise<void> {
  const deadlineMs = performance.now() + minutes * 60_000;
  while (performance.now() < deadlineMs) {
    const before = machineCpuSeconds();
    const startMs = performance.now();
    await seconds(WINDOW_SECONDS);
    const share = (machineCpuSeconds() - before) / (((performance.now() - startMs) / 1000) * availableParallelism());
    if (share < BUSY_SHARE) return;
  }
}
