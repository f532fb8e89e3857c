import { Express } from './express.ts';
import { type FanoutSink, Flusher, type FlusherOptions } from './flush.ts';
import type { Group } from './group.ts';
import { Lane, type Pass, type Timing } from './lane.ts';
import { MemberCost } from './member-cost.ts';
import { type Pace, Pacing } from './pacing.ts';
import { Quantum } from './quantum.ts';
import type { Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';
import type { Variant } from './variant.ts';

export interface SchedulerOptions extends FlusherOptions {
  readonly loopGapMinMs: number;
  readonly loopGapMaxMs: number;
  /** Maximum time from one pass to the next while publications wait for each other; 0: they never wait. */
  readonly pacingPeriodMaxMs: number;
}

export interface TurnResult {
  /** Call {@link Scheduler.turn} again in the next loop turn. */
  readonly more: boolean;
  /** Call it again at that time at the latest; undefined: nothing waits. */
  readonly nextDueAtMs: number | undefined;
  /** All that was pending in some lane has been handed over. */
  readonly passEnded: boolean;
}

/** Cost of creating a frame, and of a native publish, in sends to a socket (8 µs; 2.5 µs and 0.4 µs were measured). */
const SENDS_PER_FRAME = 0.3;
const SENDS_PER_PUBLISH = 0.05;
/** Cost of adding a frame to what waits for a connection. */
const SENDS_PER_GATHERED = 0.05;
/** Share of a turn for making frames before visits. */
const GATHERING_SHARE = 0.5;
/** Share of the pacing period for its visits: the loop has time between them, and clients do not get everything at once. */
const SPREAD_SHARE = 0.95;
/** Of the pacing period, for the sends of a pass: the loop has other things to do, too. */
const SENDING_SHARE = 0.75;
/** The same where there is no delay: passes are no shorter for the sake of large topics. */
const PASS_MIN_MS = 40;
/** A group is visited whole, and so that a turn may get so much longer, where that is not the turn's first. */
const OVER_QUANTUM_MAX = 1.25;
/** The cost of fewer says little. */
const LEARN_SENDS_MIN = 100;

/**
 * Decides when frames are sent, so that each socket is written to as rarely as possible, and no topic, however large, delays another.
 *
 * A pass visits the groups of connections that have something pending, in turn. Everything pending for a group, of all topics, is sent in one loop turn, by one
 * `send()` per socket. Each loop turn visits groups until about a quantum of sends is queued. A visited group waits for the next pass, so under load batches
 * grow exactly when that is needed. During a pass or a pacing delay, small topics are sent separately, by the express. So an idle publication is sent in its
 * own turn.
 *
 * One per worker; no sockets, no clock.
 */
export class Scheduler {
  readonly #flusher: Flusher;
  readonly #quantum: Quantum;
  readonly #express: Express;
  readonly #lanes: Lane[] = [];
  readonly #memberCost = new MemberCost();
  readonly #pace: Pace;
  /** Since the last {@link turn} was told. */
  #passEnded = false;
  #fullTurn: { readonly atMs: number } | undefined;
  /** In this loop turn, so far. */
  #sending: { pass: Pass | undefined; sends: number; fromMs: number } = { pass: undefined, sends: 0, fromMs: 0 };

  constructor(options: SchedulerOptions, sink: FanoutSink, pace: Pace = new Pacing(options.pacingPeriodMaxMs)) {
    this.#flusher = new Flusher(sink, options);
    this.#quantum = new Quantum(options.loopGapMinMs, options.loopGapMaxMs);
    this.#express = new Express(this.#flusher);
    this.#pace = pace;
  }

  get quantumMembers(): number {
    return this.#quantum.members;
  }

  /** The feed has new items: its variants need a pass. */
  wake(feed: TopicFeed, nowMs: number): void {
    for (const variant of feed.variants) {
      variant.lane ??= this.#laneOf(variant.timing);
      if (!variant.isListed) variant.lane.list(variant, nowMs);
      if (variant.lane.timing.intervalMs === 0) this.#express.want(variant);
    }
  }

  /** @param tick counts loop turns: rounds of the same loop turn, before uWS has sent anything, have the same value */
  turn(nowMs: number, tick: number): TurnResult {
    this.#learn(nowMs);
    for (const lane of this.#lanes) this.#cutIfLong(lane);
    const quantum = this.#quantum.members;
    let sends = 0;
    for (const lane of this.#lanes) sends += this.#prepare(lane, quantum * GATHERING_SHARE - sends, nowMs, tick);
    for (let progress = true; progress && sends < quantum; ) {
      progress = false;
      for (const lane of this.#lanes) {
        if (sends >= quantum || !isDue(lane.nextVisitAtMs, nowMs)) continue;
        const pass = lane.pass as Pass;
        const group = pass.groups[pass.visited] as Group;
        if (sends > 0 && sends + group.sendsDue(lane.number) > quantum * OVER_QUANTUM_MAX) continue;
        sends += this.#visitNext(lane, pass, quantum - sends, nowMs, tick);
        if (lane.timing.intervalMs === 0) this.#sending.pass = pass;
        progress = true;
      }
    }
    for (const lane of this.#lanes) {
      if (lane.pass !== undefined && lane.nextVisitAtMs === undefined && !lane.hasDue) this.#endPass(lane, lane.pass);
    }
    // Published last: uWS sends what was published last first, so a small topic's members do not wait for a large one's.
    this.#express.serve(nowMs, tick, this.#memberCost.ms);
    if (this.#sending.sends === 0) this.#sending.fromMs = nowMs;
    this.#sending.sends += sends;
    return this.#result(nowMs, sends);
  }

  /** uWS has sent what was published in this loop turn. */
  turnEnded(nowMs: number): void {
    const { pass, sends, fromMs } = this.#sending;
    const ms = nowMs - fromMs;
    if (sends >= LEARN_SENDS_MIN) this.#memberCost.learn(ms, sends);
    if (pass !== undefined) pass.sendingMs += ms;
    this.#sending = { pass: undefined, sends: 0, fromMs: nowMs };
  }

  /** Large topics must not hold up others for longer: who has not been visited has waited longest when the next pass begins. */
  #cutIfLong(lane: Lane): void {
    const { pass, timing } = lane;
    if (pass === undefined || timing.intervalMs > 0 || pass.sendingMs < Math.max(PASS_MIN_MS, pass.periodMs) * SENDING_SHARE) return;
    lane.cutPass();
    this.#endPass(lane, pass);
  }

  #result(nowMs: number, sends: number): TurnResult {
    let nextDueAtMs: number | undefined;
    for (const lane of this.#lanes) {
      const dueAtMs = lane.pass === undefined ? lane.dueAtMs : lane.hasDue ? nowMs : lane.nextVisitAtMs;
      if (dueAtMs !== undefined && (nextDueAtMs === undefined || dueAtMs < nextDueAtMs)) nextDueAtMs = dueAtMs;
    }
    const more = isDue(nextDueAtMs, nowMs);
    this.#fullTurn = more && sends > 0 ? { atMs: nowMs } : undefined;
    const passEnded = this.#passEnded;
    this.#passEnded = false;
    return { more, nextDueAtMs: more ? undefined : nextDueAtMs, passEnded };
  }

  #laneOf({ intervalMs, gathers }: Timing): Lane {
    let lane = this.#lanes.find(({ timing }) => timing.intervalMs === intervalMs && timing.gathers === gathers);
    if (lane === undefined) {
      lane = new Lane(this.#lanes.length, { intervalMs, gathers });
      this.#lanes.push(lane);
    }
    return lane;
  }

  /** A turn with remaining work is followed by another immediately: the time between them is that of its sends. */
  #learn(nowMs: number): void {
    if (this.#fullTurn === undefined) return;
    this.#quantum.adapt(nowMs - this.#fullTurn.atMs);
  }

  /**
   * Starts the lane's pass if it is due, and makes the frames of topics with few members, so that visits join them. In a running pass too, if it serves what
   * comes as soon as there is time: then what a group has not been sent yet also leaves with its visit. @returns the cost, in sends
   */
  #prepare(lane: Lane, budget: number, nowMs: number, tick: number): number {
    const starts = lane.pass === undefined && isDue(lane.dueAtMs, nowMs);
    if (starts || (lane.pass !== undefined && lane.timing.intervalMs === 0)) lane.admit();
    let work = 0;
    while (lane.hasDue && work < budget) work += this.#gather(lane, nowMs, tick);
    if (starts) this.#startPass(lane, nowMs);
    return work;
  }

  /** The next topic's. @returns the cost, in sends */
  #gather(lane: Lane, nowMs: number, tick: number): number {
    const variant = lane.takeDue() as Variant;
    // Otherwise its shards are on the agendas of their groups.
    if (variant.isDivided) return 0;
    const { next } = variant.feed.ring;
    let work = 0;
    for (const shard of variant.shards) {
      if (shard.cursor >= next) continue;
      const items = this.#flusher.gather(shard, nowMs, tick, lane);
      this.#pace.visited(0, items * shard.members, 0);
      work += SENDS_PER_FRAME + SENDS_PER_GATHERED * shard.members;
    }
    return work;
  }

  /**
   * Sends what the pass has for its next group, natively where each of its shards has a native topic, and else socket by socket: a mix would be two writes for
   * each. Only a part of it if so many frames must be created for it that the turn would get too long. @returns its cost, in sends; at least 1, so that a turn
   * ends
   */
  #visitNext(lane: Lane, pass: Pass, budget: number, nowMs: number, tick: number): number {
    const group = pass.groups[pass.visited] as Group;
    const agenda = group.agenda(lane.number);
    const due = agenda.beginVisit();
    const isNative = group.waiting.length === 0 && due.every(({ nativeTopic }) => nativeTopic !== undefined);
    let members = 0;
    let work = 0;
    for (; agenda.visited < due.length && work < budget; agenda.visited++) {
      const shard = due[agenda.visited] as Shard;
      if (shard.members === 0 || shard.cursor >= shard.variant.feed.ring.next) continue;
      const madeBefore = this.#flusher.made;
      const items = isNative ? this.#flusher.publish(shard, nowMs, tick) : this.#flusher.gather(shard, nowMs, tick);
      members += shard.members;
      agenda.deliveries += items * shard.members;
      work += SENDS_PER_PUBLISH + (this.#flusher.made - madeBefore) * SENDS_PER_FRAME;
    }
    const sends = isNative ? Math.min(group.connections, members) : this.#flusher.sendWaiting(group);
    if (agenda.visited === due.length) {
      this.#pace.visited(group.connections, agenda.deliveries, nowMs - agenda.visitedAtMs);
      agenda.endVisit(nowMs);
      pass.visited++;
    }
    return Math.max(1, sends + work);
  }

  #endPass(lane: Lane, { variants, startedAtMs, periodMs }: Pass): void {
    for (const variant of variants) this.#flusher.finish(variant);
    lane.endPass();
    this.#passEnded = true;
    lane.pacedUntilMs = startedAtMs + periodMs;
  }

  #startPass(lane: Lane, nowMs: number): void {
    if (lane.timing.intervalMs > 0) return lane.startPass(nowMs);
    const periodMs = this.#pace.periodMs(nowMs, this.#memberCost.ms);
    lane.startPass(nowMs, { periodMs, spreadMs: periodMs * SPREAD_SHARE });
  }
}

function isDue(dueAtMs: number | undefined, nowMs: number): boolean {
  return dueAtMs !== undefined && dueAtMs <= nowMs;
}
