import { setTimeout as sleep } from 'node:timers/promises';
import { monoMs } from '../time.ts';
import * as hostile from './hostile.ts';
import * as http from './http.ts';
import * as people from './people.ts';
import * as subscribing from './subscribing.ts';
import { type Place, type Visit, Visitor } from './visitor.ts';

const VISITS: Readonly<Record<string, Visit>> = { ...subscribing, ...people, ...http, ...hostile };
export const VISIT_KINDS = Object.keys(VISITS).length;
const BETWEEN_MAX_MS = 1500;
const EXAMPLES_MAX = 10;

/** Visitors who come, do something of any kind, and leave; the next one comes soon after. Every kind has its turn before any comes again. */
export class Churn {
  /** Visits that have ended, by kind. */
  readonly visits: Record<string, number> = {};
  /** Of visits that nothing disturbed. */
  failures = 0;
  /** Of visits during which something was broken on purpose. */
  disturbed = 0;
  readonly examples: string[] = [];
  readonly #place: Place;
  #bag: string[] = [];
  #running = false;
  #visitors: Promise<void>[] = [];
  /** Until then visits may fail: on the shared clock. */
  #disturbedUntilMs = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  get ended(): number {
    return Object.values(this.visits).reduce((sum, count) => sum + count, 0);
  }

  /** @param atOnce visitors who are there at the same time, about */
  start(atOnce: number): void {
    this.#running = true;
    this.#visitors = Array.from({ length: atOnce }, () => this.#comeAndGo());
  }

  /** Resolves when all have left. */
  async pause(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#visitors);
  }

  /** Something is broken, and will be well again in so long. */
  disturb(ms: number): void {
    this.#disturbedUntilMs = monoMs() + ms;
  }

  async #comeAndGo(): Promise<void> {
    while (this.#running) {
      await sleep(Math.random() * BETWEEN_MAX_MS);
      await this.#visit(this.#next());
    }
  }

  #next(): string {
    if (this.#bag.length === 0) this.#bag = Object.keys(VISITS);
    return this.#bag.splice(Math.floor(Math.random() * this.#bag.length), 1)[0] as string;
  }

  async #visit(kind: string): Promise<void> {
    const startMs = monoMs();
    const visitor = new Visitor(this.#place);
    try {
      await (VISITS[kind] as Visit)(visitor);
    } catch (error) {
      if (startMs < this.#disturbedUntilMs) this.disturbed++;
      else {
        this.failures++;
        if (this.examples.length < EXAMPLES_MAX)
          this.examples.push(`${kind}: ${error instanceof Error ? error.stack : error}`.slice(0, 600));
      }
    } finally {
      await visitor.leave().catch(() => undefined);
    }
    this.visits[kind] = (this.visits[kind] ?? 0) + 1;
  }
}
