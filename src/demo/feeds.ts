import type { Bus } from '../bus/bus.ts';
import type { Logger } from '../ops/log.ts';
import { type Key, parseKey, parseTopic, type Topic } from '../protocol/topic.ts';
import { matchEvents } from './match.ts';
import { seededRandom } from './random.ts';
import { ticks } from './ticker.ts';

export const SCORES_TOPIC: Topic = parseTopic('scores.demo');
/** Keyed by symbol. */
export const TICKS_TOPIC: Topic = parseTopic('ticks.demo');

/** About one event a second and twenty ticks; odd periods, so that the two rarely fall into one loop turn. */
const MATCH_PERIOD_MS = 997;
const TICK_PERIOD_MS = 49;
/** Publications that wait for the log at once. Past it ticks are left out: a demo is not worth a backlog. */
const WAITING_MAX = 64;

export interface DemoFeeds {
  stop(): void;
}

/**
 * Publishes a made-up match on {@link SCORES_TOPIC} and a made-up ticker on {@link TICKS_TOPIC} until stopped. Every payload is JSON and
 * carries `atMs`, the publisher's clock. Failures are logged, once until it works again, and the feed goes on.
 *
 * @param seed the same seed gives the same feed
 */
export function startDemoFeeds(bus: Bus, log: Logger, seed = Date.now()): DemoFeeds {
  const random = seededRandom(seed);
  const matches = matchEvents(random);
  const ticker = ticks(random);
  const publish = publisher(bus, log);
  const timers = [
    setInterval(() => publish(SCORES_TOPIC, null, matches.next().value), MATCH_PERIOD_MS),
    setInterval(() => {
      const tick = ticker.next().value;
      publish(TICKS_TOPIC, parseKey(tick.symbol), tick);
    }, TICK_PERIOD_MS),
  ];
  return { stop: () => timers.forEach(clearInterval) };
}

function publisher(bus: Bus, log: Logger): (topic: Topic, key: Key | null, value: object) => void {
  let waiting = 0;
  let failing = false;
  const encoder = new TextEncoder();
  return (topic, key, value) => {
    if (waiting >= WAITING_MAX) return;
    waiting++;
    const payload = encoder.encode(JSON.stringify({ ...value, atMs: Date.now() }));
    bus
      .publish({ topic, key, payload, payloadKind: 'json' })
      .then(
        () => {
          failing = false;
        },
        (error: unknown) => {
          if (!failing) log.warn({ err: error, topic }, 'the demo feed could not publish');
          failing = true;
        },
      )
      .finally(() => {
        waiting--;
      });
  };
}
