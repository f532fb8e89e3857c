import { clearInterval, setInterval } from 'k6/timers';
import { Connection } from './connection.js';
import { metrics } from './metrics.js';
import { endOf, publicationOf } from './publication.js';
import { PAYLOAD_BYTES, TOPIC } from './settings.js';
import { tokenFor } from './token.js';

const TICK_MS = 5;
/** How long it waits for its last acks. */
export const LINGER_MS = 5000;

/**
 * Publishes at a rate, on one topic or on several in turn, each with the moment at which it was due: a publisher that is held up shows in the latencies, not in fewer samples. At last it says
 * how many were acknowledged, so that subscribers can tell whether they have them all.
 */
export function publishSteadily(user, perSecond, durationS, topics = [TOPIC]) {
  const total = perSecond * durationS;
  let sent = 0;
  let answered = 0;
  /** By topic. */
  const acked = topics.map(() => 0);
  let timer;
  let startedAtMs = 0;
  let from = user;
  const connection = new Connection(tokenFor(user), {
    onOpen: () => {
      startedAtMs = Date.now();
      from = `${user}-${startedAtMs}`;
      timer = setInterval(tick, TICK_MS);
    },
    onError: ({ code }) => metrics.errors.add(1, { code }),
    onClose: (code, expected) => {
      clearInterval(timer);
      for (let n = answered; n < sent; n++) metrics.acked.add(false);
      if (!expected) metrics.lost.add(1, { code: String(code) });
    },
  });

  function tick() {
    const elapsedMs = Date.now() - startedAtMs;
    const due = Math.min(Math.floor((elapsedMs * perSecond) / 1000) + 1, total);
    while (sent < due) publish();
    if (sent >= total && (answered === sent || elapsedMs > durationS * 1000 + LINGER_MS)) finish();
  }

  function publish() {
    const n = sent++;
    const dueAtMs = startedAtMs + (n * 1000) / perSecond;
    const place = n % topics.length;
    const nth = Math.floor(n / topics.length);
    connection.publish(topics[place], publicationOf(from, nth, dueAtMs, PAYLOAD_BYTES), `${from}-${n}`, ({ type }) => {
      answered++;
      if (type === 'published') acked[place]++;
      metrics.acked.add(type === 'published');
      metrics.ackMs.add(Date.now() - dueAtMs);
    });
  }

  function finish() {
    clearInterval(timer);
    // Do not wait longer for missing answers.
    if (answered < sent) return connection.close();
    const ends = topics.map((topic, place) => ({ topic, data: endOf(from, acked[place]), idempotencyKey: `${from}-end` }));
    connection.publishAll(ends, () => connection.close());
    timer = setInterval(() => connection.close(), LINGER_MS);
  }
}
