import { serveCalls } from '../../../loadtest/core/rpc.ts';
import { calls } from './calls.ts';
import { frames } from './frames.ts';
import { HalfOpen } from './half-open.ts';
import { requests } from './requests.ts';
import type { HalfOpenSettings } from './settings.ts';

let halfOpen: HalfOpen | undefined;

serveCalls({
  frames,
  calls,
  requests,
  startHalfOpen(settings: HalfOpenSettings) {
    halfOpen = new HalfOpen(settings);
  },
  halfOpenReport: () => halfOpen?.report,
  stopHalfOpen: () => halfOpen?.stop(),
});
