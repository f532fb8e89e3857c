import exec from 'k6/execution';
import { setTimeout } from 'k6/timers';
import { SUMMARY_STATS } from './lib/metrics.js';
import { publishSteadily } from './lib/publisher.js';
import { connectionsOf, DURATION_S, RATE, VUS } from './lib/settings.js';
import { Subscriber } from './lib/subscriber.js';

/**
 * CONNECTIONS clients watch a topic that goes on all the time. In the middle of DURATION_S all leave at once, stay away for AWAY_S, and come
 * back at once, each from where it stood: all of them recovered, nothing missing.
 */
const SETTLE_S = 3;
const AWAY_S = Number(__ENV.AWAY_S || 2);
const LEAVE_AT_MS = (SETTLE_S + DURATION_S / 2) * 1000;

export const options = {
  scenarios: {
    storm: { executor: 'per-vu-iterations', exec: 'storm', vus: VUS, iterations: 1, maxDuration: `${DURATION_S + SETTLE_S + 40}s` },
    publisher: {
      executor: 'per-vu-iterations',
      exec: 'publish',
      vus: 1,
      iterations: 1,
      startTime: `${SETTLE_S}s`,
      maxDuration: `${DURATION_S + 30}s`,
    },
  },
  thresholds: {
    stentor_connected: ['rate==1'],
    stentor_recovered: ['rate==1'],
    stentor_resume_ms: ['p(95)<2000', 'max<5000'],
    stentor_gaps: ['count==0'],
    stentor_overlaps: ['count==0'],
    stentor_complete: ['rate==1'],
    stentor_acked: ['rate==1'],
    stentor_lost: ['count==0'],
    stentor_errors: ['count==0'],
    stentor_items: ['count>0'],
  },
  summaryTrendStats: SUMMARY_STATS,
};

export function storm() {
  const vu = exec.vu.idInTest;
  for (let n = 0; n < connectionsOf(exec.scenario.iterationInTest + 1); n++) {
    const subscriber = new Subscriber(`k6-${vu}-${n}`);
    setTimeout(() => subscriber.connect(), Math.random() * (SETTLE_S - 1) * 1000);
    setTimeout(() => subscriber.close(), LEAVE_AT_MS);
    setTimeout(() => subscriber.connect(), LEAVE_AT_MS + AWAY_S * 1000);
    setTimeout(() => subscriber.finish(1), (SETTLE_S + DURATION_S) * 1000);
  }
}

export function publish() {
  publishSteadily(`k6-publisher-${exec.vu.idInTest}`, RATE, DURATION_S);
}
