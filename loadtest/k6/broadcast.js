import exec from 'k6/execution';
import { setTimeout } from 'k6/timers';
import { SUMMARY_STATS } from './lib/metrics.js';
import { publishSteadily } from './lib/publisher.js';
import { connectionsOf, DURATION_S, RATE, VUS } from './lib/settings.js';
import { Subscriber } from './lib/subscriber.js';

/**
 * CONNECTIONS clients watch one topic while RATE publications a second come in for DURATION_S: latency from the moment that each was due, and
 * nothing missing, nothing twice, and all that was acknowledged with every client. FEED=external leaves the publishing to a feed of yours, whose
 * payloads have `sentAtMs`; it must then not fall silent.
 */
const SETTLE_S = 5;
/** A connection may send limits.messagesPerSecondMax messages a second, 100 by default. */
const PER_PUBLISHER_MAX = 50;
const PUBLISHERS = Math.ceil(RATE / PER_PUBLISHER_MAX);
const EXTERNAL = __ENV.FEED === 'external';

const publishers = {
  publishers: {
    executor: 'per-vu-iterations',
    exec: 'publish',
    vus: PUBLISHERS,
    iterations: 1,
    startTime: `${SETTLE_S}s`,
    maxDuration: `${DURATION_S + 30}s`,
  },
};

export const options = {
  scenarios: {
    subscribers: {
      executor: 'per-vu-iterations',
      exec: 'subscribe',
      vus: VUS,
      iterations: 1,
      maxDuration: `${DURATION_S + SETTLE_S + 40}s`,
    },
    ...(EXTERNAL ? {} : publishers),
  },
  thresholds: {
    stentor_connected: ['rate>0.999'],
    stentor_latency_ms: ['p(95)<100', 'p(99)<250'],
    stentor_gaps: ['count==0'],
    stentor_overlaps: ['count==0'],
    stentor_complete: ['rate==1'],
    stentor_lost: ['count==0'],
    stentor_errors: ['count==0'],
    stentor_items: ['count>0'],
    ...(EXTERNAL ? {} : { stentor_acked: ['rate==1'] }),
  },
  summaryTrendStats: SUMMARY_STATS,
};

export function subscribe() {
  const vu = exec.vu.idInTest;
  // Spread over the settling time: this script is about what comes after it.
  for (let n = 0; n < connectionsOf(exec.scenario.iterationInTest + 1); n++) {
    const subscriber = new Subscriber(`k6-${vu}-${n}`);
    setTimeout(() => subscriber.connect(), Math.random() * (SETTLE_S - 2) * 1000);
    setTimeout(() => subscriber.finish(EXTERNAL ? 0 : PUBLISHERS), (SETTLE_S + DURATION_S) * 1000);
  }
}

export function publish() {
  publishSteadily(`k6-publisher-${exec.vu.idInTest}`, RATE / PUBLISHERS, DURATION_S);
}
