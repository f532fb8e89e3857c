import { describe, expect, it } from 'vitest';
import { Deliverer } from '../../src/client/deliverer.ts';
import { documentOptions } from '../../src/client/document.ts';
import { Emitter } from '../../src/client/emitter.ts';
import type { Item } from '../../src/client/item.ts';
import { newCounters } from '../../src/client/stats.ts';
import type { Item as WireItem } from '../../src/protocol/messages.ts';

function newDeliverer() {
  const events = new Emitter<{ item: Item }>();
  const given: [string | null, unknown][] = [];
  events.on('item', ({ key, data }: Item) => void given.push([key, data]));
  const to = { name: 'books.a', options: documentOptions(), events, isEnded: false };
  const deliverer = new Deliverer(to as never, { counters: newCounters(), settings: { stateKeysMax: 100 } } as never);
  const deliver = (offset: number, items: WireItem[], startsState = false) =>
    deliverer.deliver({
      source: startsState ? 'snapshot' : 'live',
      items,
      position: { epoch: 'e1', offset },
      resyncReason: undefined,
      startsState,
    });
  return { deliverer, deliver, given };
}

const patch = { patch: true } as const;

describe('a topic with a document for each key', () => {
  it('does not fold again what it has of a key, when a node that is behind gives a part of it', () => {
    const { deliverer, deliver, given } = newDeliverer();
    deliver(10, [[10, 'BTC', { n: 10, at: { a: 1 } }]], true);
    // The first of two batches of one range, whose end never comes: the position stays.
    deliver(10, [[20, 'BTC', { n: 20, at: { b: 2 } }, { ...patch, first: { at: null } }]]);
    deliver(10, [[22, 'XRP', null, { removed: true }]]);
    given.length = 0;
    // Another node, which has come as far as 15, and goes on from there.
    deliver(15, [
      [14, 'XRP', { n: 14 }, patch],
      [15, 'BTC', { n: 15, at: { a: 5 } }, patch],
    ]);
    deliver(18, [[18, 'BTC', { at: null }, patch]]);
    deliver(20, [[20, 'BTC', { n: 20, at: { b: 2 } }, patch]]);
    deliver(21, [[21, 'ETH', { n: 21 }]]);
    deliver(22, [[22, 'XRP', null, { removed: true }]]);
    expect(given).toEqual([['ETH', { n: 21 }]]);
    deliver(24, [
      [23, 'XRP', { n: 23 }, patch],
      [24, 'BTC', { n: 24 }, patch],
    ]);
    expect(given.slice(1)).toEqual([
      ['XRP', { n: 23 }],
      ['BTC', { n: 24, at: { b: 2 } }],
    ]);
    expect(deliverer.position).toEqual({ epoch: 'e1', offset: 24 });
  });

  it('folds everything from the beginning after a resync, whose offsets may be lower', () => {
    const { deliver, given } = newDeliverer();
    deliver(10, [[20, 'BTC', { n: 20 }]], true);
    deliver(8, [[8, 'BTC', { n: 8 }]], true);
    deliver(9, [[9, 'BTC', { m: 9 }, patch]]);
    expect(given.at(-1)).toEqual(['BTC', { n: 8, m: 9 }]);
  });
});
