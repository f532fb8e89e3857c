import { Chain } from './chain.js';
import { Connection } from './connection.js';
import { metrics } from './metrics.js';
import { TOPIC } from './settings.js';
import { tokenFor } from './token.js';

/** A client that watches one topic, measures what arrives, and proves that nothing is missing. */
export class Subscriber {
  #user;
  #chain = new Chain();
  #connection;

  constructor(user) {
    this.#user = user;
  }

  /** Connects, or comes back from where it stood. @param {(answer: object) => void} [onSubscribed] */
  connect(onSubscribed) {
    const startedAtMs = Date.now();
    const since = this.#chain.position;
    let answered = false;
    this.#connection = new Connection(tokenFor(this.#user), {
      onOpen: () =>
        this.#connection.subscribe(TOPIC, since, (answer) => {
          answered = answer.type === 'subscribed';
          metrics.connected.add(answered);
          if (!answered) return;
          (since === undefined ? metrics.connectMs : metrics.resumeMs).add(Date.now() - startedAtMs);
          if (since !== undefined) metrics.recovered.add(answer.recovered);
          this.#take(() => this.#chain.subscribed(answer), false);
          onSubscribed?.(answer);
        }),
      onBatch: (batch) => {
        metrics.batches.add(1);
        this.#take(() => this.#chain.batch(batch), true);
      },
      onError: ({ code }) => metrics.errors.add(1, { code }),
      onClose: (code, expected) => {
        if (!answered) metrics.connected.add(false);
        if (!expected) metrics.lost.add(1, { code: String(code) });
      },
    });
  }

  close() {
    this.#connection?.close();
  }

  /** @param {boolean} live only what is broadcast has a latency worth the name; what was missed is late by its nature */
  #take(follow, live) {
    const gapsBefore = this.#chain.gaps;
    const items = follow();
    metrics.gaps.add(this.#chain.gaps - gapsBefore);
    metrics.items.add(items.length);
    if (!live) return;
    const nowMs = Date.now();
    for (const [, , data] of items) if (data?.sentAtMs !== undefined) metrics.latencyMs.add(nowMs - data.sentAtMs);
  }
}
