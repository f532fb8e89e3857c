import { clearInterval, setInterval } from 'k6/timers';
import { Connection } from './connection.js';
import { metrics } from './metrics.js';
import { PAYLOAD_BYTES, TOPIC } from './settings.js';
import { tokenFor } from './token.js';

const TICK_MS = 5;
/** About what `{"n":…,"sentAtMs":…,"pad":""}` takes. */
const ENVELOPE_BYTES = 45;
const PAD = 'x'.repeat(Math.max(0, PAYLOAD_BYTES - ENVELOPE_BYTES));
/** How long it waits for its last acks. */
const LINGER_MS = 5000;

/** Publishes at a rate, each with the moment at which it was due: a publisher that is held up shows in the latencies, not in fewer samples. */
export function publishSteadily(user, perSecond, durationS) {
  let sent = 0;
  let answered = 0;
  let timer;
  const startedAtMs = { at: 0 };
  const connection = new Connection(tokenFor(user), {
    onOpen: () => {
      startedAtMs.at = Date.now();
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
    const elapsedMs = Date.now() - startedAtMs.at;
    const due = Math.min(Math.floor((elapsedMs * perSecond) / 1000) + 1, perSecond * durationS);
    while (sent < due) publish();
    const all = sent >= perSecond * durationS;
    if (all && (answered === sent || elapsedMs > durationS * 1000 + LINGER_MS)) {
      clearInterval(timer);
      connection.close();
    }
  }

  function publish() {
    const n = sent++;
    const dueAtMs = startedAtMs.at + (n * 1000) / perSecond;
    connection.publish(TOPIC, { n, sentAtMs: dueAtMs, pad: PAD }, `${user}-${startedAtMs.at}-${n}`, (answer) => {
      answered++;
      metrics.acked.add(answer.type === 'published');
      metrics.ackMs.add(Date.now() - dueAtMs);
    });
  }
}
