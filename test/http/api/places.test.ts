import { describe, expect, it } from 'vitest';
import { type Full, type Place, Places } from '../../../src/http/api/places.ts';

const LIMITS = { requestsInFlightMax: 5, requestsPerTokenMax: 2, bodiesBytesMax: 100, bodiesBytesPerTokenMax: 60 };

const taken = (outcome: Place | Full): Place => {
  if (typeof outcome === 'string') throw new Error(outcome);
  return outcome;
};

describe('the places of the HTTP API', () => {
  it('are shared: a caller has its own bound, and all together have one', () => {
    const refused: Full[] = [];
    const places = new Places(LIMITS, (full) => refused.push(full));
    const [first, second] = [taken(places.take('a')), taken(places.take('a'))];
    expect(places.take('a')).toBe('requestsPerTokenMax');
    for (const caller of ['b', 'b', 'c']) taken(places.take(caller));
    expect(places.take('c')).toBe('requestsInFlightMax');
    expect(places.count).toBe(5);
    first.leave();
    taken(places.take('c'));
    expect(places.take('a')).toBe('requestsInFlightMax');
    second.leave();
    taken(places.take('a'));
    expect(refused).toEqual(['requestsPerTokenMax', 'requestsInFlightMax', 'requestsInFlightMax']);
  });

  it('bound bytes in the same way, and take none of those that do not fit', () => {
    const places = new Places(LIMITS);
    const [a, b] = [taken(places.take('a')).room, taken(places.take('b')).room];
    expect(a.take(60)).toBeUndefined();
    expect(a.take(1)).toBe('bodiesBytesPerTokenMax');
    expect(b.take(41)).toBe('bodiesBytesMax');
    expect(b.take(40)).toBeUndefined();
    expect(places.bytes).toBe(100);
    a.release(60);
    expect(b.take(21)).toBe('bodiesBytesPerTokenMax');
    expect(places.bytes).toBe(40);
  });

  it('let one answer of a caller through, whatever its size: it exists already', () => {
    const places = new Places(LIMITS);
    const [first, second] = [taken(places.take('a')).room, taken(places.take('a')).room];
    expect(first.takeAnswer(1000)).toBeUndefined();
    expect(second.takeAnswer(1)).toBe('bodiesBytesPerTokenMax');
    first.release(1000);
    expect(second.takeAnswer(1)).toBeUndefined();
    expect(places.bytes).toBe(1);
  });
});
