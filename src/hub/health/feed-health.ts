import type { Bus } from '../../bus/bus.ts';
import type { Config } from '../../config/schema.ts';
import type { Stale, StaleReason } from '../../protocol/messages.ts';
import { namespaceOf, type Topic } from '../../protocol/topic.ts';
import { Pulse, StaleJudge } from './stale-judge.ts';

const LOOK_EVERY_MS = 250;
/** A look that comes so late says nothing about the broker: its answers wait in the same loop. */
const LATE_LOOK_MS = 1000;

export interface FeedHealthOptions {
  readonly config: Config;
  readonly bus: Pick<Bus, 'confirm' | 'onConnectedChange' | 'onHeartbeat'>;
  /** Changes when following the log of the namespace was interrupted; undefined: it is not followed now. Without a log: always the same. */
  readonly hearingOf: (namespace: string) => string | undefined;
  readonly onChange: (topic: Topic, stale: Stale | null) => void;
}

/** Stale topics of a namespace, by reason. */
export interface StaleCount {
  readonly namespace: string;
  readonly reason: StaleReason;
  readonly topics: number;
}

interface Watched {
  readonly judge: StaleJudge;
  readonly stopHeartbeats: () => void;
  hearing: string | undefined;
}

/**
 * Watches the open topics of namespaces with `staleAfterMs`: one timer and one question to the broker at a time for all of them, one subscription to heartbeats
 * for a namespace. It keeps one small object for each open topic, so `limits.topicsPerNodeMax` bounds it.
 */
export class FeedHealth {
  readonly #options: FeedHealthOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #pulses = new Map<Topic, Pulse>();
  readonly #timer: NodeJS.Timeout;
  readonly #stopWatchingBus: () => void;
  /** Counts connects and disconnects of the bus. */
  #busChanges = 0;
  /** Those before the last answer. */
  #seenBusChanges = 0;
  #asking = false;
  #lookedAtMs = performance.now();

  /** Undefined: no namespace needs it. */
  static create(options: FeedHealthOptions): FeedHealth | undefined {
    const isNeeded = Object.values(options.config.namespaces).some(({ staleAfterMs }) => staleAfterMs > 0);
    return isNeeded ? new FeedHealth(options) : undefined;
  }

  private constructor(options: FeedHealthOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#stopWatchingBus = options.bus.onConnectedChange(() => void this.#busChanges++);
  }

  opened(topic: Topic): void {
    const { staleAfterMs } = this.#options.config.namespaces[namespaceOf(topic)] ?? {};
    if (staleAfterMs === undefined || staleAfterMs === 0) return;
    const pulse = new Pulse(topic, performance.now());
    this.#pulses.set(topic, pulse);
    this.#watch(namespaceOf(topic), staleAfterMs).judge.watch(pulse);
  }

  /** The log has this publication as the last one of the topic. Its times have fractions, those of messages are whole. */
  lastPublished(topic: Topic, atMs: number): void {
    const pulse = this.#pulses.get(topic);
    if (pulse?.wasHeard === false) pulse.publishedAtMs = Math.floor(atMs);
  }

  /** It was published to, or its producer has sent a heartbeat. */
  heard(topic: Topic): void {
    const pulse = this.#pulses.get(topic);
    if (pulse !== undefined) this.#watched.get(namespaceOf(topic))?.judge.heard(pulse, performance.now());
  }

  closed(topic: Topic): void {
    const pulse = this.#pulses.get(topic);
    const namespace = namespaceOf(topic);
    const watched = this.#watched.get(namespace);
    if (pulse === undefined || watched === undefined) return;
    this.#pulses.delete(topic);
    watched.judge.forget(pulse);
    if (watched.judge.size > 0) return;
    watched.stopHeartbeats();
    this.#watched.delete(namespace);
  }

  *counts(): Iterable<StaleCount> {
    for (const [namespace, { judge }] of this.#watched) {
      for (const [reason, topics] of Object.entries(judge.counts)) yield { namespace, reason: reason as StaleReason, topics };
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopWatchingBus();
    for (const { stopHeartbeats } of this.#watched.values()) stopHeartbeats();
    this.#watched.clear();
    this.#pulses.clear();
  }

  #watch(namespace: string, staleAfterMs: number): Watched {
    const known = this.#watched.get(namespace);
    if (known !== undefined) return known;
    const { bus, onChange } = this.#options;
    const judge = new StaleJudge(
      { staleAfterMs, onChange: ({ topic }, stale) => onChange(topic, stale), wallClockMs: Date.now },
      performance.now(),
    );
    const stopHeartbeats = bus.onHeartbeat(namespace, (topic) => this.heard(topic));
    const watched: Watched = { judge, stopHeartbeats, hearing: this.#options.hearingOf(namespace) };
    this.#watched.set(namespace, watched);
    return watched;
  }

  #look(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.#lookedAtMs > LATE_LOOK_MS;
    this.#lookedAtMs = nowMs;
    if (isLate) return;
    // A question that is still open: the broker is away, or very slow.
    if (this.#asking) return this.#unconfirmed(nowMs);
    if (this.#watched.size > 0) return void this.#ask(nowMs);
    this.#seenBusChanges = this.#busChanges;
  }

  #unconfirmed(nowMs: number): void {
    for (const { judge } of this.#watched.values()) judge.unconfirmed(nowMs, false);
  }

  async #ask(askedAtMs: number): Promise<void> {
    this.#asking = true;
    const answered = await this.#options.bus.confirm();
    this.#asking = false;
    const confirmed = answered && this.#seenBusChanges === this.#busChanges;
    this.#seenBusChanges = this.#busChanges;
    for (const [namespace, watched] of this.#watched) {
      const hearing = this.#options.hearingOf(namespace);
      const isSame = hearing !== undefined && hearing === watched.hearing;
      watched.hearing = hearing;
      if (answered) watched.judge.answered(askedAtMs);
      if (confirmed && isSame) watched.judge.confirmed(askedAtMs, performance.now());
      else watched.judge.unconfirmed(performance.now(), true);
    }
  }
}
