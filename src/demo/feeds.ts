import { randomBytes } from 'node:crypto';
import type { Bus } from '../bus/bus.ts';
import { type Key, parseKey, parseTopic, type Topic } from '../protocol/topic.ts';
import type { Logger } from '../telemetry/log.ts';
import { matchEvents } from './match.ts';
import { type NumberedEvent, numbers } from './numbers.ts';
import { pace } from './pace.ts';
import { seededRandom } from './random.ts';
import { ticks } from './ticker.ts';
import { FAST_TICKS_TOPIC, NUMBERS_TOPIC, SCORES_TOPIC, TICKS_TOPIC } from './topics.ts';

const TOPICS = {
  scores: parseTopic(SCORES_TOPIC),
  ticks: parseTopic(TICKS_TOPIC),
  fastTicks: parseTopic(FAST_TICKS_TOPIC),
  numbers: parseTopic(NUMBERS_TOPIC),
};

/** About one event a second and twenty ticks; odd periods, so that the two rarely fall into one loop turn. */
const MATCH_PERIOD_MS = 997;
const TICK_PERIOD_MS = 49;
const FAST_TICKS_PER_SECOND = 1000;
const NUMBERS_PER_SECOND = 50;
/** Publications that wait for the log at once. Past it ticks are left out: a demo is not worth a backlog. */
const WAITING_MAX = 64;

export interface DemoFeedsOptions {
  /** Is anybody on this node subscribed to the topic? The two fast feeds run only then. */
  readonly isWanted: (topic: Topic) => boolean;
  /** The same seed gives the same feeds. */
  readonly seed?: number;
}

export interface DemoFeeds {
  stop(): void;
}

/**
 * Publishes a made-up match and a made-up ticker until stopped; and while somebody is subscribed, the ticker a thousand times a second, and numbers that
 * count up. Every payload is JSON and carries `atMs`, the publisher's clock. Failures are logged, once until it works again, and the feeds go on.
 */
export function startDemoFeeds(bus: Bus, log: Logger, { isWanted, seed = Date.now() }: DemoFeedsOptions): DemoFeeds {
  const random = seededRandom(seed);
  const publisher = new Publisher(bus, log);
  const matches = matchEvents(random);
  const publishTicks = (topic: Topic, perSecond: number) => {
    const ticker = ticks(random, perSecond);
    return () => {
      const tick = ticker.next().value;
      void publisher.publish(topic, parseKey(tick.symbol), tick);
    };
  };
  const stops = [
    every(MATCH_PERIOD_MS, () => void publisher.publish(TOPICS.scores, null, matches.next().value)),
    every(TICK_PERIOD_MS, publishTicks(TOPICS.ticks, 1000 / TICK_PERIOD_MS)),
    pace(FAST_TICKS_PER_SECOND, () => isWanted(TOPICS.fastTicks), publishTicks(TOPICS.fastTicks, FAST_TICKS_PER_SECOND)),
    pace(NUMBERS_PER_SECOND, () => isWanted(TOPICS.numbers), publishNumbers(new Publisher(bus, log))),
  ];
  return { stop: () => stops.forEach((stop) => void stop()) };
}

/** One waits for the log at most, so that they are in it in their order; after a failure a new run begins, since nobody knows what of the old one is there. */
function publishNumbers(publisher: Publisher): () => void {
  const newRun = () => numbers(randomBytes(4).toString('hex'));
  let run: Generator<NumberedEvent, never> = newRun();
  let owed = 0;
  const publishOwed = async () => {
    for (; owed > 0; owed--) if (!(await publisher.publish(TOPICS.numbers, null, run.next().value))) run = newRun();
  };
  return () => {
    owed++;
    if (owed === 1) void publishOwed();
    // While the log does not answer, a second's worth waits: the rest is left out, and the count goes on where it is.
    owed = Math.min(owed, NUMBERS_PER_SECOND);
  };
}

function every(periodMs: number, publish: () => void): () => void {
  const timer = setInterval(publish, periodMs);
  return () => clearInterval(timer);
}

class Publisher {
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #encoder = new TextEncoder();
  #waiting = 0;
  #failing = false;

  constructor(bus: Bus, log: Logger) {
    this.#bus = bus;
    this.#log = log;
  }

  /** @returns whether it is in the log, as far as one knows; never rejects */
  async publish(topic: Topic, key: Key | null, value: object): Promise<boolean> {
    if (this.#waiting >= WAITING_MAX) return false;
    this.#waiting++;
    const payload = this.#encoder.encode(JSON.stringify({ ...value, atMs: Date.now() }));
    try {
      await this.#bus.publish({ topic, key, payload, payloadKind: 'json' });
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error, topic }, 'the demo feed could not publish');
      this.#failing = true;
      return false;
    } finally {
      this.#waiting--;
    }
  }
}
