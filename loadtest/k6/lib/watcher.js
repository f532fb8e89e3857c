import { clearInterval, setInterval } from 'k6/timers';
import { Chain } from './chain.js';
import { Connection } from './connection.js';
import { metrics } from './metrics.js';
import { LINGER_MS } from './publisher.js';
import { Receipts } from './receipts.js';
import { tokenFor } from './token.js';

const CHECK_MS = 100;
/** Publishers wait so long for their acks before they say their ends. */
const FINISH_MAX_MS = 2 * LINGER_MS;

/** A client that follows many topics over one connection, subscribed to in one message, and proves for each that nothing is missing and nothing comes twice. */
export class Watcher {
  #topics;
  #followed = new Map();
  #connection;

  /** @param {string} user @param {string[]} topics */
  constructor(user, topics) {
    this.#topics = topics;
    const startedAtMs = Date.now();
    let subscribed = 0;
    let counted = false;
    const count = (connected) => {
      if (!counted) metrics.connected.add(connected);
      counted = true;
    };
    this.#connection = new Connection(tokenFor(user), {
      onOpen: () =>
        this.#connection.subscribeAll(topics, (topic, answer) => {
          if (answer.type !== 'subscribed') return count(false);
          const followed = { chain: new Chain(), receipts: new Receipts() };
          this.#followed.set(topic, followed);
          follow(followed, ({ chain }) => ({ items: chain.subscribed(answer), live: false }));
          if (++subscribed < topics.length) return;
          count(true);
          metrics.connectMs.add(Date.now() - startedAtMs);
        }),
      onBatch: (batch) => {
        metrics.batches.add(1);
        const followed = this.#followed.get(batch.topic);
        if (followed === undefined) metrics.errors.add(1, { code: 'unasked' });
        else follow(followed, ({ chain }) => chain.batch(batch));
      },
      onResync: (resync) => {
        const followed = this.#followed.get(resync.topic);
        if (followed !== undefined) follow(followed, ({ chain }) => ({ items: chain.resync(resync), live: false }));
      },
      onError: ({ code }) => metrics.errors.add(1, { code }),
      onClose: (code, expected) => {
        count(false);
        if (!expected) metrics.lost.add(1, { code: String(code) });
      },
    });
  }

  /** Closes once everything has come that was acknowledged on each topic, and counts whether it has. @param {number} publishers how many there are */
  finish(publishers) {
    const startedAtMs = Date.now();
    const timer = setInterval(() => {
      const complete = this.#topics.every((topic) => this.#followed.get(topic)?.receipts.isComplete(publishers) === true);
      if (!complete && Date.now() - startedAtMs < FINISH_MAX_MS) return;
      clearInterval(timer);
      metrics.complete.add(complete);
      this.#connection.close();
    }, CHECK_MS);
  }
}

function follow(followed, step) {
  const { chain, receipts } = followed;
  const { gaps, overlaps } = chain;
  const { items, live } = step(followed);
  metrics.gaps.add(chain.gaps - gaps);
  metrics.overlaps.add(chain.overlaps - overlaps);
  metrics.items.add(items.length);
  const nowMs = Date.now();
  for (const [, , data] of items) {
    receipts.take(data);
    if (live && data?.sentAtMs !== undefined) metrics.latencyMs.add(nowMs - data.sentAtMs);
  }
}
