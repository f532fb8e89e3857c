import exec from 'k6/execution';
import { SUMMARY_STATS } from './lib/metrics.js';
import { publishSteadily } from './lib/publisher.js';
import { DURATION_S, RATE } from './lib/settings.js';

/** PUBLISHERS clients publish RATE messages a second together, each with an idempotency key, and wait for the log's acks. */
const PUBLISHERS = Number(__ENV.PUBLISHERS || 10);

export const options = {
  scenarios: { publishers: { executor: 'per-vu-iterations', vus: PUBLISHERS, iterations: 1, maxDuration: `${DURATION_S + 30}s` } },
  thresholds: {
    stentor_acked: ['rate==1'],
    stentor_ack_ms: ['p(95)<100', 'p(99)<500'],
    stentor_lost: ['count==0'],
    stentor_errors: ['count==0'],
  },
  summaryTrendStats: SUMMARY_STATS,
};

export default function publish() {
  publishSteadily(`k6-publisher-${exec.vu.idInTest}`, RATE / PUBLISHERS, DURATION_S);
}
