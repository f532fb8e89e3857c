import exec from 'k6/execution';
import { setTimeout } from 'k6/timers';
import { SUMMARY_STATS } from './lib/metrics.js';
import { publishSteadily } from './lib/publisher.js';
import { connectionsOf, DURATION_S, RATE, TOPIC, TOPICS, TOPICS_PER_CONNECTION, VUS } from './lib/settings.js';
import { Watcher } from './lib/watcher.js';

/**
 * CONNECTIONS clients follow TOPICS_PER_CONNECTION of TOPICS topics each, over one connection and subscribed to in one message, while RATE publications a second
 * rotate over all topics for DURATION_S: what market data looks like. Per topic nothing missing, nothing twice, and all that was acknowledged with every client.
 */
const SETTLE_S = 5;
/** A connection may send limits.messagesPerSecondMax messages a second, 100 by default. */
const PER_PUBLISHER_MAX = 50;
const PUBLISHERS = Math.ceil(RATE / PER_PUBLISHER_MAX);
const ALL_TOPICS = Array.from({ length: TOPICS }, (_, number) => `${TOPIC}-${number}`);

export const options = {
  scenarios: {
    watchers: {
      executor: 'per-vu-iterations',
      exec: 'watch',
      vus: VUS,
      iterations: 1,
      maxDuration: `${DURATION_S + SETTLE_S + 40}s`,
    },
    publishers: {
      executor: 'per-vu-iterations',
      exec: 'publish',
      vus: PUBLISHERS,
      iterations: 1,
      startTime: `${SETTLE_S}s`,
      maxDuration: `${DURATION_S + 30}s`,
    },
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
    stentor_acked: ['rate==1'],
  },
  summaryTrendStats: SUMMARY_STATS,
};

export function watch() {
  const vu = exec.vu.idInTest;
  for (let n = 0; n < connectionsOf(exec.scenario.iterationInTest + 1); n++) {
    const first = Math.floor(Math.random() * TOPICS);
    const topics = Array.from({ length: TOPICS_PER_CONNECTION }, (_, place) => ALL_TOPICS[(first + place) % TOPICS]);
    setTimeout(
      () => {
        const watcher = new Watcher(`k6-${vu}-${n}`, topics);
        setTimeout(() => watcher.finish(PUBLISHERS), (SETTLE_S + DURATION_S) * 1000);
      },
      Math.random() * (SETTLE_S - 2) * 1000,
    );
  }
}

export function publish() {
  publishSteadily(`k6-publisher-${exec.vu.idInTest}`, RATE / PUBLISHERS, DURATION_S, ALL_TOPICS);
}
