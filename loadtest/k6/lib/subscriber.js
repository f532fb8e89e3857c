import { clearInterval, setInterval } from 'k6/timers';
import { Chain } from './chain.js';
import { Connection } from './connection.js';
import { metrics } from './metrics.js';
import { LINGER_MS } from './publisher.js';
import { Receipts } from './receipts.js';
import { TOPIC } from './settings.js';
import { tokenFor } from './token.js';

const CHECK_MS = 100;
/** Publishers wait so long for their acks before they say their end. */
const FINISH_MAX_MS = 2 * LINGER_MS;
/** From a feed that says no end something must have come so lately. */
const QUIET_MAX_MS = 5000;

/** A client that watches one topic, measures what arrives, and proves that nothing is missing and nothing comes twice. */
export class Subscriber {
  #user;
  #chain = new Chain();
  #receipts = new Receipts();
  #lastItemAtMs = 0;
  #connection;

  constructor(user) {
    this.#user = user;
  }

  /** Connects, or comes back from where it stood. */
  connect() {
    const startedAtMs = Date.now();
    const since = this.#chain.position;
    let counted = false;
    let resuming = since !== undefined;
    const count = (connected) => {
      if (!counted) metrics.connected.add(connected);
      counted = true;
    };
    const checkResumed = () => {
      if (!resuming || !this.#chain.isCaughtUp) return;
      resuming = false;
      metrics.resumeMs.add(Date.now() - startedAtMs);
    };
    this.#connection = new Connection(tokenFor(this.#user), {
      onOpen: () =>
        this.#connection.subscribe(TOPIC, since, (answer) => {
          count(answer.type === 'subscribed');
          if (answer.type !== 'subscribed') return;
          if (since === undefined) metrics.connectMs.add(Date.now() - startedAtMs);
          else metrics.recovered.add(answer.recovered);
          this.#follow(() => ({ items: this.#chain.subscribed(answer), live: false }));
          checkResumed();
        }),
      onBatch: (batch) => {
        metrics.batches.add(1);
        this.#follow(() => this.#chain.batch(batch));
        checkResumed();
      },
      onResync: (resync) => this.#follow(() => ({ items: this.#chain.resync(resync), live: false })),
      onError: ({ code }) => metrics.errors.add(1, { code }),
      onClose: (code, expected) => {
        count(false);
        if (!expected) metrics.lost.add(1, { code: String(code) });
      },
    });
  }

  close() {
    this.#connection?.close();
  }

  /**
   * Closes once everything has come that was acknowledged, and counts whether it has.
   * @param {number} publishers how many there are; 0: a feed that is not ours, which acknowledges nothing: it must not have fallen silent
   */
  finish(publishers) {
    const startedAtMs = Date.now();
    const timer = setInterval(() => {
      const nowMs = Date.now();
      const complete = publishers === 0 ? nowMs - this.#lastItemAtMs < QUIET_MAX_MS : this.#receipts.isComplete(publishers);
      if (!complete && publishers > 0 && nowMs - startedAtMs < FINISH_MAX_MS) return;
      clearInterval(timer);
      metrics.complete.add(complete);
      this.close();
    }, CHECK_MS);
  }

  #follow(step) {
    const { gaps, overlaps } = this.#chain;
    const { items, live } = step();
    metrics.gaps.add(this.#chain.gaps - gaps);
    metrics.overlaps.add(this.#chain.overlaps - overlaps);
    metrics.items.add(items.length);
    const nowMs = Date.now();
    for (const [, , data] of items) {
      this.#lastItemAtMs = nowMs;
      this.#receipts.take(data);
      if (live && data?.sentAtMs !== undefined) metrics.latencyMs.add(nowMs - data.sentAtMs);
    }
  }
}
