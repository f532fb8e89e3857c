import type { FanoutSink } from '../fanout/flush.ts';
import { Scheduler, type SchedulerOptions } from '../fanout/scheduler.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';

export interface TurnEvents {
  /** Called before each round: connections that must leave their native topics do so here, outside uWS's callbacks. */
  beforeTurn(): void;
  /** uWS has sent what the rounds of a loop turn published, and has reported drops. */
  afterTurn(): void;
  /** The same, where a pass has ended in it: members of some topics have been given what waited for them. */
  afterPass(): void;
}

/**
 * Runs the pure scheduler with the real clock and the real loop: at most one flush round per loop turn. uWS sends what a round published when the turn ends, so
 * the next round runs after the sockets have had their turn.
 */
export class FanoutPump {
  readonly #scheduler: Scheduler;
  #armed: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  readonly #events: TurnEvents;
  #passEnded = false;
  #tick = 0;
  #tickArmed = false;

  constructor(options: SchedulerOptions, sink: FanoutSink, events: TurnEvents) {
    this.#scheduler = new Scheduler(options, sink);
    this.#events = events;
  }

  /** The loop turn's number. uWS sends, and reports drops, before the turn ends (checked with 20.49: drops come before the turn's immediates). */
  get tick(): number {
    return this.#tick;
  }

  get quantumMembers(): number {
    return this.#scheduler.quantumMembers;
  }

  /** These feeds have new items. If nothing else waits, they are sent now, in this turn. */
  wake(feeds: Iterable<TopicFeed>): void {
    const nowMs = now();
    for (const feed of feeds) this.#scheduler.wake(feed, nowMs);
    if (this.#armed === undefined) this.#turn();
  }

  stop(): void {
    clearImmediate(this.#armed);
    clearTimeout(this.#timer);
  }

  #turn(): void {
    this.#events.beforeTurn();
    const nowMs = now();
    const { more, nextDueAtMs, passEnded } = this.#scheduler.turn(nowMs, this.#tick);
    this.#passEnded ||= passEnded;
    this.#endTickWithTurn();
    this.#armed = more
      ? setImmediate(() => {
          this.#armed = undefined;
          this.#turn();
        })
      : undefined;
    if (!more && nextDueAtMs !== undefined) this.#wakeAt(nextDueAtMs, nowMs);
  }

  #endTickWithTurn(): void {
    if (this.#tickArmed) return;
    this.#tickArmed = true;
    setImmediate(() => {
      this.#tickArmed = false;
      this.#tick++;
      this.#scheduler.turnEnded(now());
      const passEnded = this.#passEnded;
      this.#passEnded = false;
      this.#events.afterTurn();
      if (passEnded) this.#events.afterPass();
    });
  }

  #wakeAt(dueAtMs: number, nowMs: number): void {
    if (dueAtMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = dueAtMs;
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      if (this.#armed === undefined) this.#turn();
    }, dueAtMs - nowMs);
  }
}

/** Milliseconds since 1970 with fractions, from the monotonic clock: setting the wall clock does not affect timers. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
