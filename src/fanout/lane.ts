import type { Group } from './group.ts';
import type { Shard } from './shard.ts';
import type { Variant } from './variant.ts';

/** When the variants of a lane are sent. */
export interface Timing {
  /** Shortest time between two passes; 0: as soon as there is time. */
  readonly intervalMs: number;
  /** A batch gathers for the interval, even when nothing was sent for long. False: the first publication after a pause leaves at once. */
  readonly gathers: boolean;
}

/** Groups of a rate class are spread over so much of its period at most: all of them at one tick would be a burst. */
const SPREAD_MAX_MS = 100;
const SPREAD_SHARE = 0.5;

/** One round over all groups that have something pending in a lane. */
export interface Pass {
  readonly startedAtMs: number;
  readonly variants: readonly Variant[];
  readonly groups: readonly Group[];
  visited: number;
  /** Its visits are spread over so much. */
  readonly spreadMs: number;
  /** Sends to sockets, by estimate. */
  sends: number;
}

/** Variants that are sent on the same timing, and what of them is pending. */
export class Lane {
  readonly number: number;
  readonly timing: Timing;
  pass: Pass | undefined;
  /** No pass before this: it waits for more publications to join. */
  pacedUntilMs = Number.NEGATIVE_INFINITY;
  #variants: Variant[] = [];
  #groups: Group[] = [];
  #firstListedAtMs = 0;
  #lastStartAtMs = Number.NEGATIVE_INFINITY;

  constructor(number: number, timing: Timing) {
    this.number = number;
    this.timing = timing;
  }

  /** When the next pass may start; undefined: nothing waits for one. */
  get dueAtMs(): number | undefined {
    if (this.#variants.length === 0) return undefined;
    const { intervalMs, gathers } = this.timing;
    const intervalDueAtMs = gathers ? this.#firstListedAtMs + intervalMs : this.#lastStartAtMs + intervalMs;
    return Math.max(intervalDueAtMs, this.pacedUntilMs);
  }

  /** When the pass may visit its next group; undefined: it has visited all. */
  get nextVisitAtMs(): number | undefined {
    const { pass } = this;
    if (pass === undefined || pass.visited === pass.groups.length) return undefined;
    return pass.startedAtMs + (pass.spreadMs * pass.visited) / pass.groups.length;
  }

  get #spreadMs(): number {
    const { intervalMs, gathers } = this.timing;
    return gathers ? 0 : Math.min(SPREAD_MAX_MS, intervalMs * SPREAD_SHARE);
  }

  /** The variant has something for the next pass. */
  list(variant: Variant, nowMs: number): void {
    if (this.#variants.length === 0) this.#firstListedAtMs = nowMs;
    variant.isListed = true;
    this.#variants.push(variant);
    for (const shard of variant.shards) this.enlist(shard);
  }

  /** A shard of a variant that is listed. */
  enlist(shard: Shard): void {
    const { pending } = shard.group.agenda(this.number);
    if (pending.length === 0) this.#groups.push(shard.group);
    pending.push(shard);
  }

  startPass(nowMs: number, spreadMs = this.#spreadMs): void {
    for (const variant of this.#variants) variant.isListed = false;
    const agendaOf = (group: Group) => group.agenda(this.number);
    for (const group of this.#groups) agendaOf(group).startPass();
    // Who was visited first last time is so again: else the time between two visits of a group would vary by a whole pass.
    const groups = this.#groups.sort((a, b) => agendaOf(a).visitedAtMs - agendaOf(b).visitedAtMs);
    this.pass = { startedAtMs: nowMs, variants: this.#variants, groups, spreadMs, visited: 0, sends: 0 };
    this.#lastStartAtMs = nowMs;
    this.#variants = [];
    this.#groups = [];
  }

  endPass(): void {
    this.pass = undefined;
  }
}
