import type { Agenda, Group } from './group.ts';
import type { Shard } from './shard.ts';
import type { Variant } from './variant.ts';

/** When the variants of a lane are sent. */
export interface Timing {
  /** Shortest time between two passes; 0: as soon as there is time. */
  readonly intervalMs: number;
  /** A batch is collected for the interval, even after a long pause. False: the first publication after a pause is sent immediately. */
  readonly gathers: boolean;
}

/** Groups of a rate class are spread over at most this part of its period, because all of them at one tick would be a burst. */
const SPREAD_MAX_MS = 100;
const SPREAD_SHARE = 0.5;

/** One round over all groups that have something pending in a lane. */
export interface Pass {
  readonly startedAtMs: number;
  readonly variants: readonly Variant[];
  readonly groups: Group[];
  visited: number;
  /** From its start to the start of the next, at least. */
  readonly periodMs: number;
  /** Its visits are spread over this time. */
  readonly spreadMs: number;
  /** The loop's time for sends so far. */
  sendingMs: number;
}

/** A topic with more members takes a pass, or more, by itself. */
const LARGE_MEMBERS_MIN = 5000;
/** Groups for which only large topics have something age so fast beside the others, when it comes to whose turn it is. */
const LARGE_WEIGHT = 1 / 6;

/** Variants with the same timing, and what of them is pending. */
export class Lane {
  readonly number: number;
  readonly timing: Timing;
  pass: Pass | undefined;
  /** No pass before this time: it waits for more publications to join. */
  pacedUntilMs = Number.NEGATIVE_INFINITY;
  /** Variants with direct shards that have something for the pass, and how many of them have been taken. */
  #due: Variant[] = [];
  #taken = 0;
  /** The same for the next pass. */
  #direct: Variant[] = [];
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
    if (this.#isIdle) return undefined;
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

  get #isIdle(): boolean {
    return !this.hasDue && this.#direct.length === 0 && this.#variants.length === 0 && this.#groups.length === 0;
  }

  get #spreadMs(): number {
    const { intervalMs, gathers } = this.timing;
    return gathers ? 0 : Math.min(SPREAD_MAX_MS, intervalMs * SPREAD_SHARE);
  }

  /** The variant has something for the next pass. */
  list(variant: Variant, nowMs: number): void {
    if (this.#isIdle) this.#firstListedAtMs = nowMs;
    variant.isListed = true;
    if (!variant.isDivided) {
      this.#direct.push(variant);
      return;
    }
    this.#variants.push(variant);
    for (const shard of variant.shards) this.enlist(shard);
  }

  /** A shard of a listed variant. */
  enlist(shard: Shard): void {
    const { group } = shard;
    if (group === undefined) return;
    const agenda = this.#listed(group);
    agenda.enlist(shard);
    if (shard.variant.feed.members < LARGE_MEMBERS_MIN) agenda.onlyLarge = false;
  }

  /** Frames wait for connections of the group. */
  expect(group: Group): void {
    this.#listed(group).onlyLarge = false;
  }

  #listed(group: Group): Agenda {
    const agenda = group.agenda(this.number);
    if (!agenda.isListed) {
      agenda.isListed = true;
      this.#groups.push(group);
    }
    return agenda;
  }

  /** Direct shards that have something belong to the pass from now on. */
  admit(): void {
    if (this.#direct.length === 0) return;
    this.#due = this.#taken < this.#due.length ? this.#due.slice(this.#taken).concat(this.#direct) : this.#direct;
    this.#taken = 0;
    this.#direct = [];
  }

  get hasDue(): boolean {
    return this.#taken < this.#due.length;
  }

  /** The next variant whose direct shards belong to the pass; it is listed again when it has something new. */
  takeDue(): Variant | undefined {
    const variant = this.#due[this.#taken];
    if (variant === undefined) return undefined;
    this.#taken++;
    variant.isListed = false;
    return variant;
  }

  startPass(nowMs: number, { periodMs, spreadMs } = { periodMs: 0, spreadMs: this.#spreadMs }): void {
    for (const variant of this.#variants) variant.isListed = false;
    const groups = this.#inTurn(nowMs);
    for (const group of groups) group.agenda(this.number).startPass();
    this.pass = { startedAtMs: nowMs, variants: this.#variants, groups, periodMs, spreadMs, visited: 0, sendingMs: 0 };
    this.#lastStartAtMs = nowMs;
    this.#variants = [];
    this.#groups = [];
  }

  /** Who waited longest comes first. So groups keep their order, and the time between two visits of one does not vary by a whole pass. */
  #inTurn(nowMs: number): Group[] {
    const waits = this.#groups.map((group) => {
      const { visitedAtMs, onlyLarge } = group.agenda(this.number);
      return { group, waited: (nowMs - visitedAtMs) * (onlyLarge ? LARGE_WEIGHT : 1) };
    });
    return waits.sort((a, b) => b.waited - a.waited).map(({ group }) => group);
  }

  /** Ends the pass where it stands: groups that it has not visited are in the next. */
  cutPass(): void {
    const { pass } = this;
    if (pass === undefined) return;
    for (const group of pass.groups.splice(pass.visited)) {
      this.#listed(group).postpone();
    }
  }

  endPass(): void {
    this.pass = undefined;
  }
}
