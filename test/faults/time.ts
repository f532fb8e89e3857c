import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../../src/bench/clock.ts';

/** Milliseconds on the clock that all processes of the machine share. */
export function monoMs(): number {
  return nowUs() / 1000;
}

/** Lets things run: a fault run is about time that passes under load. */
export function seconds(count: number): Promise<void> {
  return sleep(count * 1000);
}
