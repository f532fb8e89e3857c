import exec from 'k6/execution';
import { setTimeout } from 'k6/timers';
import { SUMMARY_STATS } from './lib/metrics.js';
import { CONNECTIONS, connectionsOf, DURATION_S, VUS } from './lib/settings.js';
import { Subscriber } from './lib/subscriber.js';

/** CONNECTIONS clients connect and subscribe, evenly over the first half of DURATION_S, and stay for the second. */
const RAMP_MS = (DURATION_S * 1000) / 2;

export const options = {
  scenarios: { ramp: { executor: 'per-vu-iterations', vus: VUS, iterations: 1, maxDuration: `${DURATION_S + 30}s`, gracefulStop: '5s' } },
  thresholds: {
    stentor_connected: ['rate>0.999'],
    stentor_connect_ms: ['p(95)<500'],
    stentor_lost: ['count==0'],
    stentor_errors: ['count==0'],
  },
  summaryTrendStats: SUMMARY_STATS,
};

export default function ramp() {
  const vu = exec.vu.idInTest;
  for (let n = 0; n < connectionsOf(vu); n++) {
    // Interleaved over the virtual users, so that the whole rises evenly.
    const place = n * VUS + (vu - 1);
    const startAfterMs = (place / CONNECTIONS) * RAMP_MS;
    const subscriber = new Subscriber(`k6-${vu}-${n}`);
    setTimeout(() => subscriber.connect(), startAfterMs);
    setTimeout(() => subscriber.close(), RAMP_MS * 2);
  }
}
