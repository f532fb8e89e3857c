/** What a node follows of a namespace, at one moment. */
export interface InterestSample {
  readonly nowMs: number;
  /** Of the follower. */
  readonly position: number;
  /** Publications of wanted topics so far. */
  readonly received: number;
  readonly topicCount: number;
  /** Topics that it asks for by name; undefined: it follows the whole namespace. */
  readonly filteredTopics: number | undefined;
}

export interface InterestBounds {
  /** With more topics, the whole namespace is followed. 0: always. */
  readonly filterTopicsMax: number;
  /** Below this many publications a second of other topics, the whole namespace is followed. */
  readonly filterAbovePerSecond: number;
}

/** `renew`: ask for other topics than now. */
export type InterestVerdict = 'keep' | 'whole' | 'filter' | 'renew';

/** Samples in a row that must agree: asking for less is a change that costs the server something, and asking for all again is not urgent. */
const TO_FILTER = 2;
const TO_WHOLE = 10;
/** The whole namespace again, below this share of the rate above which it was left. */
const TO_WHOLE_SHARE = 0.25;
/** Topics that nobody wants any more may stay in a filter: this many, and this share of it. */
const SURPLUS_MIN = 16;
const SURPLUS_SHARE = 0.25;

/** Whether a follower should ask for its topics by name. Pure. */
export class InterestJudge {
  readonly #bounds: InterestBounds;
  #before: InterestSample | undefined;
  #inRow = 0;

  constructor(bounds: InterestBounds) {
    this.#bounds = bounds;
  }

  /** Call at intervals of about a second. */
  judge(now: InterestSample): InterestVerdict {
    const before = this.#before;
    this.#before = now;
    const { filterTopicsMax } = this.#bounds;
    const { topicCount, filteredTopics } = now;
    if (filteredTopics !== undefined && topicCount > filterTopicsMax) return this.#decide('whole');
    if (before === undefined || before.filteredTopics !== filteredTopics) {
      this.#inRow = 0;
      return 'keep';
    }
    const wanted = filteredTopics === undefined ? this.#wantsFilter(before, now) : this.#wantsWhole(before, now);
    this.#inRow = wanted ? this.#inRow + 1 : 0;
    if (filteredTopics === undefined) return this.#inRow >= TO_FILTER ? this.#decide('filter') : 'keep';
    if (this.#inRow >= TO_WHOLE) return this.#decide('whole');
    return filteredTopics - topicCount > Math.max(SURPLUS_MIN, filteredTopics * SURPLUS_SHARE) ? this.#decide('renew') : 'keep';
  }

  /** Following was interrupted. */
  forget(): void {
    this.#before = undefined;
    this.#inRow = 0;
  }

  #wantsFilter(before: InterestSample, now: InterestSample): boolean {
    const { filterTopicsMax, filterAbovePerSecond } = this.#bounds;
    if (now.topicCount === 0 || now.topicCount > filterTopicsMax) return false;
    const others = othersPerSecond(before, now);
    // Where it follows most of the namespace, a filter would only cost the server.
    return others >= filterAbovePerSecond && others * (now.nowMs - before.nowMs) >= (now.received - before.received) * 1000;
  }

  #wantsWhole(before: InterestSample, now: InterestSample): boolean {
    return othersPerSecond(before, now) < this.#bounds.filterAbovePerSecond * TO_WHOLE_SHARE;
  }

  #decide(verdict: InterestVerdict): InterestVerdict {
    this.forget();
    return verdict;
  }
}

/** Publications of topics that are not wanted. */
function othersPerSecond(before: InterestSample, now: InterestSample): number {
  const others = now.position - before.position - (now.received - before.received);
  return (Math.max(0, others) * 1000) / Math.max(1, now.nowMs - before.nowMs);
}
