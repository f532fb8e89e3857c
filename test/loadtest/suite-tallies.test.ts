import { describe, expect, it } from 'vitest';

const load = (path: string) => import(new URL(`../../loadtest/k6/lib/${path}`, import.meta.url).href);
// Plain JavaScript, for k6: what it has is said here.
const { Chain } = (await load('chain.js')) as { Chain: new () => TopicChain };
const { Receipts } = (await load('receipts.js')) as {
  Receipts: new () => { take(data: unknown): void; isComplete(publishers: number): boolean };
};
const { publicationOf, endOf } = (await load('publication.js')) as {
  publicationOf(from: string, n: number, sentAtMs: number, payloadBytes: number): Record<string, unknown>;
  endOf(from: string, acked: number): Record<string, unknown>;
};

type WireItem = readonly unknown[];
interface TopicChain {
  readonly gaps: number;
  readonly overlaps: number;
  readonly isCaughtUp: boolean;
  readonly position: { epoch: string; offset: number } | undefined;
  subscribed(message: { epoch: string; offset: number; recovered: boolean; items: readonly WireItem[]; upTo?: number }): WireItem[];
  batch(message: { epoch: string; prev: number; items: readonly WireItem[] }): { items: WireItem[]; live: boolean };
  resync(message: { epoch: string; offset: number; items: readonly WireItem[] }): WireItem[];
}

const item = (offset: number): WireItem => [offset, null, { n: offset }];
const batch = (prev: number, ...offsets: number[]) => ({ epoch: 'e', prev, items: offsets.map(item) });
const offsets = (items: readonly WireItem[]) => items.map(([offset]) => offset);

function chainAt(offset: number): TopicChain {
  const chain = new Chain();
  chain.subscribed({ epoch: 'e', offset, recovered: false, items: [] });
  return chain;
}

describe('the chain of a topic that the k6 and artillery suites keep', () => {
  it('counts missing ranges', () => {
    const chain = chainAt(4);
    expect(chain.batch(batch(4, 5, 7))).toEqual({ items: [item(5), item(7)], live: true });
    expect(chain.gaps).toBe(0);
    chain.batch(batch(8, 9));
    expect(chain).toMatchObject({ gaps: 1, overlaps: 0, position: { epoch: 'e', offset: 9 } });
  });

  it('counts repeated items, and returns each once', () => {
    const chain = chainAt(4);
    chain.batch(batch(4, 5, 7));
    expect(chain.batch(batch(4, 5, 7)).items).toEqual([]);
    expect(chain.overlaps).toBe(2);
    expect(offsets(chain.batch(batch(5, 7, 8)).items)).toEqual([8]);
    expect(chain).toMatchObject({ overlaps: 3, gaps: 0, position: { epoch: 'e', offset: 8 } });
  });

  it('counts another epoch, a resync, and a position that was not recovered as gaps', () => {
    const chain = chainAt(4);
    chain.batch({ ...batch(4, 5), epoch: 'other' });
    expect(chain.gaps).toBe(1);
    expect(chain.resync({ epoch: 'third', offset: 9, items: [item(9)] })).toEqual([]);
    expect(chain).toMatchObject({ gaps: 2, position: { epoch: 'third', offset: 9 } });
    chain.subscribed({ epoch: 'third', offset: 12, recovered: false, items: [item(12)] });
    expect(chain).toMatchObject({ gaps: 3, overlaps: 0, position: { epoch: 'third', offset: 12 } });
  });

  it('continues after a reconnect, with what was missed, whose latency does not count', () => {
    const chain = chainAt(4);
    chain.batch(batch(4, 5, 6));
    const recovered = chain.subscribed({ epoch: 'e', offset: 8, recovered: true, items: [item(7), item(8)], upTo: 11 });
    expect(offsets(recovered)).toEqual([7, 8]);
    expect(chain.isCaughtUp).toBe(false);
    expect(chain.batch(batch(8, 9)).live).toBe(false);
    expect(chain.batch(batch(9, 10, 11)).live).toBe(false);
    expect(chain.isCaughtUp).toBe(true);
    expect(chain.batch(batch(11, 12)).live).toBe(true);
    expect(chain).toMatchObject({ gaps: 0, overlaps: 0, position: { epoch: 'e', offset: 12 } });
  });

  it('accepts items of a node that another node had sent before', () => {
    const chain = chainAt(4);
    chain.batch(batch(4, 5, 6));
    // This node has seen nothing of the topic after 4 yet.
    chain.subscribed({ epoch: 'e', offset: 6, recovered: true, items: [] });
    expect(chain.batch(batch(4, 5, 6)).items).toEqual([]);
    expect(offsets(chain.batch(batch(6, 7)).items)).toEqual([7]);
    expect(chain).toMatchObject({ gaps: 0, overlaps: 0 });
    chain.batch(batch(6, 7));
    expect(chain.overlaps).toBe(1);
  });

  it('has no position before the first answer', () => {
    expect(new Chain().position).toBeUndefined();
  });
});

describe('the items of a subscriber of the suites, compared with what was acknowledged,', () => {
  const publication = (from: string, n: number) => publicationOf(from, n, 1000 + n, 100);
  function receipts(...data: unknown[]) {
    const made = new Receipts();
    for (const each of data) made.take(each);
    return made;
  }

  it('is complete once every publisher has said its end and all before it has come', () => {
    const made = receipts(publication('a', 0), publication('a', 1), publication('b', 0));
    expect(made.isComplete(1)).toBe(false);
    made.take(endOf('a', 2));
    expect(made.isComplete(1)).toBe(false);
    made.take(endOf('b', 1));
    expect(made.isComplete(2)).toBe(true);
    expect(made.isComplete(3)).toBe(false);
  });

  it('is not complete when the server fell silent', () => {
    expect(receipts().isComplete(1)).toBe(false);
    expect(receipts(publication('a', 0), publication('a', 1)).isComplete(1)).toBe(false);
  });

  it.each([
    ['in the middle', [0, 2]],
    ['at the end', [0, 1]],
    ['all of it', []],
  ])('is not complete when something is missing %s', (_, came) => {
    expect(receipts(...came.map((n) => publication('a', n)), endOf('a', 3)).isComplete(1)).toBe(false);
  });

  it('is not complete when something was stored twice', () => {
    expect(receipts(publication('a', 0), publication('a', 1), publication('a', 1), endOf('a', 2)).isComplete(1)).toBe(false);
  });

  it('begins where the subscriber started', () => {
    expect(receipts(publication('a', 5), publication('a', 6), endOf('a', 7)).isComplete(1)).toBe(true);
  });

  it('ignores items of other publishers', () => {
    expect(receipts({ sentAtMs: 1 }, null, 'text', publication('a', 0), endOf('a', 1)).isComplete(1)).toBe(true);
  });

  it('is published in publications of the requested size, or the smallest that fits', () => {
    expect(JSON.stringify(publicationOf('a', 1, 1_700_000_000_000, 100))).toHaveLength(100);
    expect(publicationOf('a', 1, 1_700_000_000_000, 1)).toEqual({ from: 'a', n: 1, sentAtMs: 1_700_000_000_000, pad: '' });
  });
});
