import type { Stale, StaleReason } from '../../protocol/messages.ts';
import type { Topic } from '../../protocol/topic.ts';

/**
 * How long the broker may leave the node without an answer before topics are stale for that reason: a cut of 3 s, within which the node notices it (three PINGs,
 * one a second), and what it takes to reach the broker again: a further attempt to connect begins every 250 ms (`bus/nats/dial.ts`). Fault run 34, on a machine
 * with a load of nine times its cores: topics were heard again 0.33 s after the end of a cut at the latest. With {@link LATE_MS} this gives the bound from which a
 * loss is told in time: `BROKER_LOSS_TOLD_FROM_MS` in `config/warnings.ts`.
 */
export const BROKER_LOST_MS = 4500;
/** The same for a broker that answers, while the node does not hear all: following the log takes longer to resume. */
export const NOT_FOLLOWED_MS = 5500;
/**
 * A producer is heard twice in `staleAfterMs`. If a topic had been silent for so much longer than half of it when the broker was last heard, then no cut is
 * the reason. The broker has then as long to answer as an answer may take otherwise.
 */
const LATE_MS = 1000;
const ANSWER_MS = 750;
/** Topics are due in slots of this length, so a look visits only those of the slots that have passed. */
const SLOT_MS = 250;

/** When a topic was last heard. */
export class Pulse {
  readonly topic: Topic;
  /** Monotonic: a publication or a heartbeat came, or the topic was opened. */
  heardAtMs: number;
  /** Wall clock: the last publication before the topic was opened here; undefined: there is none, or the topic has been heard since. */
  publishedAtMs: number | undefined;
  wasHeard = false;
  reason: StaleReason | undefined;
  /** Undefined: it is not looked at until it is heard. */
  slot: number | undefined;

  constructor(topic: Topic, nowMs: number) {
    this.topic = topic;
    this.heardAtMs = nowMs;
  }
}

export interface StaleJudgeOptions {
  readonly staleAfterMs: number;
  /** Called once for a change. Null: it is not stale any more. */
  readonly onChange: (pulse: Pulse, stale: Stale | null) => void;
  /** Milliseconds since 1970, for clients. */
  readonly wallClockMs: () => number;
}

/**
 * Decides which topics of a namespace are stale: neither published to nor heard from for `staleAfterMs`. Pure: it is told the time.
 *
 * A topic is called silent only by what the node has certainly heard: up to a moment that the broker has confirmed, and after the last interruption, because
 * heartbeats in between are lost. If the broker does not answer for {@link BROKER_LOST_MS}, topics that have not been heard for `staleAfterMs` are stale because
 * the node has lost the broker; those whose producer was late already, at once. They stay so until they are heard, or have been silent for the whole time since.
 */
export class StaleJudge {
  readonly counts: Record<StaleReason, number> = { producer_silent: 0, broker_lost: 0 };
  readonly #options: StaleJudgeOptions;
  readonly #pulses = new Set<Pulse>();
  readonly #slots = new Map<number, Set<Pulse>>();
  /** Slots before this one have been looked at. */
  #nextSlot: number;
  #confirmedAtMs: number;
  #answeredAtMs: number;
  /** What was sent to the node before may have been lost. */
  #floorMs: number;
  #interrupted = false;

  constructor(options: StaleJudgeOptions, nowMs: number) {
    this.#options = options;
    this.#confirmedAtMs = nowMs;
    this.#answeredAtMs = nowMs;
    this.#floorMs = nowMs;
    this.#nextSlot = Math.floor(nowMs / SLOT_MS);
  }

  get size(): number {
    return this.#pulses.size;
  }

  watch(pulse: Pulse): void {
    this.#pulses.add(pulse);
    this.#schedule(pulse);
  }

  forget(pulse: Pulse): void {
    if (!this.#pulses.delete(pulse)) return;
    this.#unschedule(pulse);
    if (pulse.reason !== undefined) this.counts[pulse.reason]--;
  }

  /** A publication or a heartbeat of the topic came. */
  heard(pulse: Pulse, nowMs: number): void {
    pulse.heardAtMs = nowMs;
    pulse.publishedAtMs = undefined;
    pulse.wasHeard = true;
    if (pulse.reason === undefined) return;
    this.#change(pulse, undefined, nowMs);
    if (pulse.slot === undefined) this.#schedule(pulse);
  }

  /** The broker has answered what it was asked then. */
  answered(atMs: number): void {
    this.#answeredAtMs = atMs;
  }

  /** Everything that the broker sent before `atMs` has arrived, without an interruption since the last call unless {@link unconfirmed} was called. */
  confirmed(atMs: number, nowMs: number): void {
    if (this.#interrupted) this.#floorMs = nowMs;
    this.#interrupted = false;
    this.#confirmedAtMs = atMs;
    this.#answeredAtMs = atMs;
    for (const end = Math.floor(atMs / SLOT_MS); this.#nextSlot <= end; this.#nextSlot++) {
      const slot = this.#slots.get(this.#nextSlot);
      if (slot === undefined) continue;
      this.#slots.delete(this.#nextSlot);
      for (const pulse of slot) this.#lookAt(pulse, nowMs);
    }
  }

  /** The broker is away, or does not answer. @param interrupted what it sends meanwhile may be lost */
  unconfirmed(nowMs: number, interrupted: boolean): void {
    this.#interrupted ||= interrupted;
    const unansweredMs = nowMs - this.#answeredAtMs;
    if (unansweredMs < ANSWER_MS && nowMs - this.#confirmedAtMs < NOT_FOLLOWED_MS) return;
    const isLost = unansweredMs >= BROKER_LOST_MS || nowMs - this.#confirmedAtMs >= NOT_FOLLOWED_MS;
    const { staleAfterMs } = this.#options;
    for (const pulse of this.#pulses) {
      if (pulse.reason !== undefined || nowMs - pulse.heardAtMs < staleAfterMs) continue;
      if (isLost || this.#wasLate(pulse)) this.#change(pulse, 'broker_lost', nowMs);
    }
  }

  /** It should have been heard before the broker was lost. */
  #wasLate({ heardAtMs }: Pulse): boolean {
    return this.#answeredAtMs - Math.max(heardAtMs, this.#floorMs) >= this.#options.staleAfterMs / 2 + LATE_MS;
  }

  #lookAt(pulse: Pulse, nowMs: number): void {
    pulse.slot = undefined;
    if (this.#dueMs(pulse) <= this.#confirmedAtMs) return this.#change(pulse, 'producer_silent', nowMs);
    if (pulse.reason === undefined && this.#isTooOftenInterrupted(pulse, nowMs)) this.#change(pulse, 'broker_lost', nowMs);
    this.#schedule(pulse);
  }

  /** Short interruptions, each of which begins the time anew, must not hide a silent topic for ever. */
  #isTooOftenInterrupted({ heardAtMs }: Pulse, nowMs: number): boolean {
    return this.#floorMs > heardAtMs && nowMs - heardAtMs >= 2 * this.#options.staleAfterMs + NOT_FOLLOWED_MS;
  }

  #dueMs({ heardAtMs }: Pulse): number {
    return Math.max(heardAtMs, this.#floorMs) + this.#options.staleAfterMs;
  }

  #schedule(pulse: Pulse): void {
    const number = Math.max(Math.ceil(this.#dueMs(pulse) / SLOT_MS), this.#nextSlot);
    const slot = this.#slots.get(number) ?? new Set();
    this.#slots.set(number, slot.add(pulse));
    pulse.slot = number;
  }

  #unschedule(pulse: Pulse): void {
    if (pulse.slot === undefined) return;
    const slot = this.#slots.get(pulse.slot);
    slot?.delete(pulse);
    if (slot?.size === 0) this.#slots.delete(pulse.slot);
    pulse.slot = undefined;
  }

  #change(pulse: Pulse, reason: StaleReason | undefined, nowMs: number): void {
    if (pulse.reason !== undefined) this.counts[pulse.reason]--;
    if (reason !== undefined) this.counts[reason]++;
    pulse.reason = reason;
    const sinceMs = pulse.publishedAtMs ?? Math.round(this.#options.wallClockMs() - (nowMs - pulse.heardAtMs));
    this.#options.onChange(pulse, reason === undefined ? null : { reason, sinceMs });
  }
}
