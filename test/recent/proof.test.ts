import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeptReads } from '../../src/recent/kept-reads.ts';
import type { Latest } from '../../src/recent/latest.ts';
import { inPresentLife, type PastLife, type Since } from '../../src/recent/lives.ts';
import { indexAfter, lastOf, type Missed, newestOf, provesFrom } from '../../src/recent/missed.ts';
import { Ring } from '../../src/recent/ring.ts';
import { latestFor } from '../../src/recent/state.ts';
import { whereIsAfter } from '../../src/recent/where.ts';
import { budgetOf, type PlainItem, plain } from '../support/recent-fixtures.ts';

const KEYS_MAX = 3;
const bytesOf = ({ bytes }: PlainItem) => bytes;

/** A topic, its log, and a process that keeps little of it. The log is the truth: `all` is everything that was ever published in its present life. */
class TopicHistory {
  readonly keyed: boolean;
  readonly budget = budgetOf({ itemsPerTopicMax: 6, bytesPerTopicMax: 300, bytesMax: 2000, keysPerTopicMax: KEYS_MAX });
  readonly reads = new KeptReads<PlainItem, undefined>(this.budget);
  all: PlainItem[] = [];
  expiredUpTo = 0;
  end = 0;
  nowMs = 0;
  before: PastLife[] = [];
  ring = new Ring(this.budget, 0);
  state: Latest<PlainItem>;
  #life = 1;

  constructor(keyed: boolean) {
    this.keyed = keyed;
    this.state = this.#readState();
  }

  get epoch(): string {
    return `e${this.#life}`;
  }

  publish(gap: number, key: string, bytes: number): void {
    this.end += gap;
    const item = plain(this.end, { key: this.keyed ? key : null, bytes });
    this.all.push(item);
    this.state.set(item, this.ring.next);
    this.ring.push(item);
  }

  /** The oldest go from the log; of them what changed last of a key may be. */
  expire(count: number): void {
    const here = this.all.filter(({ offset }) => offset > this.expiredUpTo);
    this.expiredUpTo = here[Math.min(count, here.length) - 1]?.offset ?? this.expiredUpTo;
  }

  /** Somebody asks the log, and the answer is kept. */
  read(after: number, bytesMax: number): void {
    const completeFrom = Math.max(after, this.expiredUpTo);
    const items = this.all.filter(({ offset }) => offset > completeFrom);
    const missed: Missed<PlainItem> = { epoch: this.epoch, completeFrom, offset: this.end, items };
    this.reads.put('topic', newestOf<PlainItem, Missed<PlainItem>>(missed, bytesMax, bytesOf), undefined, this.nowMs);
    this.ring.prepend(items, completeFrom, this.end);
  }

  /** The log is rolled back to an offset, and goes on in a new life. The topic is opened again from its state. */
  rollBack(upTo: number): void {
    this.before = [...this.before.map((life) => ({ ...life, upTo: Math.min(life.upTo, upTo) })), { epoch: this.epoch, upTo }];
    this.#life++;
    this.all = this.all.filter(({ offset }) => offset <= upTo);
    this.end = upTo;
    this.expiredUpTo = Math.min(this.expiredUpTo, upTo);
    this.ring.clear();
    this.ring = new Ring(this.budget, this.end);
    this.state = this.#readState();
  }

  #readState(): Latest<PlainItem> {
    const here = this.all.filter(({ offset }) => offset > this.expiredUpTo);
    const last = here.filter((one) => here.findLast(({ key }) => key === one.key) === one);
    const completeFrom = Math.max(this.expiredUpTo, last[last.length - KEYS_MAX - 1]?.offset ?? 0);
    const state = latestFor(this.keyed ? 'keyed' : 'last', this.budget, completeFrom, this.ring);
    for (const item of last.slice(-KEYS_MAX)) state.set(item, -1);
    return state;
  }

  /** What a client that has everything up to `since` is given; undefined: it is told that something is missing. */
  answer(since: Since): { readonly by: 'ring' | 'state' | 'kept'; readonly items: readonly PlainItem[] } | undefined {
    const { epoch, offset } = inPresentLife(this, since);
    if (epoch !== this.epoch) return undefined;
    const holdings = { ring: this.ring, state: this.keyed ? this.state : undefined, headOffset: Math.max(this.ring.headOffset, this.end) };
    const where = whereIsAfter(holdings, offset);
    switch (where.kind) {
      case 'ring':
        return { by: 'ring', items: this.ring.slice(where.sequence, this.ring.next) };
      case 'state':
        return { by: 'state', items: this.state.after(offset)! };
      case 'ahead':
        return undefined;
      case 'evicted': {
        const missed = this.reads.get('topic', epoch, this.nowMs)?.missed;
        if (missed === undefined || !provesFrom(missed, epoch, offset)) return undefined;
        const rest = this.ring.after(missed.offset);
        return rest && { by: 'kept', items: [...missed.items.slice(indexAfter(missed.items, offset)), ...rest] };
      }
    }
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      gap: fc.integer({ min: 1, max: 3 }),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      bytes: fc.integer({ min: 1, max: 120 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), back: fc.nat(30), bytesMax: fc.integer({ min: 1, max: 1000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const), count: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), bytes: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(4000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollBack' as const), back: fc.nat(10) }) },
);

describe('the recent past', () => {
  it('returns everything after a position, or reports that something is missing, for any sequence of evictions, reads, expiries and rollbacks', () => {
    const answered = { ring: 0, state: 0, kept: 0, incomplete: 0 };
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 60, size: 'max' }), (keyed, steps) => {
        const topic = new TopicHistory(keyed);
        /** What clients got in each life: they come back with any of these positions. */
        const got = new Map<string, number>([[topic.epoch, 0]]);
        for (const each of steps) {
          switch (each.do) {
            case 'publish':
              topic.publish(each.gap, each.key, each.bytes);
              break;
            case 'read':
              topic.read(Math.max(0, topic.end - each.back), each.bytesMax);
              break;
            case 'expire':
              topic.expire(each.count);
              break;
            case 'evict':
              topic.budget.count(each.bytes);
              topic.budget.count(-each.bytes);
              break;
            case 'wait':
              topic.nowMs += each.ms;
              break;
            case 'rollBack':
              topic.rollBack(Math.max(0, topic.end - each.back));
              break;
          }
          got.set(topic.epoch, Math.max(got.get(topic.epoch) ?? 0, topic.end));
          for (const [epoch, upTo] of got) {
            for (let offset = 0; offset <= upTo + 1; offset++) {
              const answer = topic.answer({ epoch, offset });
              if (answer === undefined) {
                answered.incomplete++;
                continue;
              }
              answered[answer.by]++;
              // A position of another life counts only while both are the same up to there.
              if (epoch !== topic.epoch) expect(offset).toBeLessThanOrEqual(topic.before.find((life) => life.epoch === epoch)!.upTo);
              const after = topic.all.filter((one) => one.offset > offset);
              const latest = after.filter((one) => after.findLast(({ key }) => key === one.key) === one);
              expect(answer.items).toEqual(answer.by === 'state' ? latest : after);
            }
          }
        }
      }),
    );
    for (const times of Object.values(answered)) expect(times).toBeGreaterThan(100);
  });

  it('cuts what was read to its newest, and proves only that', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.nat(300), fc.integer({ min: 1, max: 25 }), (all, bytesMax, count) => {
        const items = all.map((bytes, at) => plain(2 * at + 5, { bytes }));
        const read: Missed<PlainItem> = { epoch: 'e1', completeFrom: 2, offset: 100, items };
        const newest = newestOf<PlainItem, Missed<PlainItem>>(read, bytesMax, bytesOf);
        for (const cut of [newest, lastOf(read, count)]) {
          expect(cut.items).toEqual(items.filter(({ offset }) => offset > (cut.completeFrom ?? 0)));
          expect(cut.items.length).toBeGreaterThan(0);
        }
        if (newest.items.length > 1) expect(newest.items.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(bytesMax);
        expect(lastOf(read, count).items).toHaveLength(Math.min(count, items.length));
      }),
    );
  });

  it('asks the log about a position that this process has not come to yet', () => {
    const ring = new Ring(budgetOf(), 10);
    const holdings = { ring, state: undefined, headOffset: 10 };
    expect([9, 10, 11].map((offset) => whereIsAfter(holdings, offset).kind)).toEqual(['evicted', 'ring', 'ahead']);
  });
});
