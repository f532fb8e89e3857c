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

/** About one event and twenty ticks a second. The periods are odd numbers, so that the two rarely fall into the same loop turn. */
const MATCH_PERIOD_MS = 997;
const TICK_PERIOD_MS = 49;
const FAST_TICKS_PER_SECOND = 1000;
const NUMBERS_PER_SECOND = 50;
/** Maximum number of publications that wait for the log. Above it ticks are left out, because a demo does not need a backlog. */
const WAITING_MAX = 64;

export interface DemoFeedsOptions {
  /** Whether anybody on this node is subscribed to the topic. The two fast feeds run only then. */
  readonly isWanted: (topic: Topic) => boolean;
  /** The same seed gives the same feeds. */
  readonly seed?: number;
}

export interface DemoFeeds {
  stop(): void;
}

/**
 * Publishes a fictional match and a fictional ticker until stopped. While somebody is subscribed, it also publishes the ticker a thousand times a second, and
 * numbers that count up. Every payload is JSON and has `atMs`, the publisher's clock. The first failure is logged, and no other until publishing works again;
 * the feeds continue.
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

/**
 * At most one publish waits for the log, so that the numbers are stored in order. After a failure a new run begins, because it is unknown which numbers of the
 * old run were stored.
 */
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
    // While the log does not answer, up to a second's worth waits. The rest is left out, and the count continues where it is.
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

  /** @returns whether it is known to be stored; never rejects */
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
