import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePresence, encodePresence, type PresenceMessage, partsOf } from '../../src/presence/messages.ts';
import { Peak } from '../../src/presence/peak.ts';
import { counted, type TopicChange } from '../../src/presence/topic-change.ts';
import type { Topic } from '../../src/protocol/topic.ts';

const A = 'chat.a' as Topic;
/** Maximum message size of a NATS server that is configured for small messages. */
const PAYLOAD_BYTES_MAX = 65_536;

describe('messages between nodes', () => {
  const members = (count: number, info?: unknown) =>
    Array.from({ length: count }, (_, i) => ({ id: `uuser-${i}`, ...(info !== undefined && { info }) }));
  const change = (topic: string, count: number, info?: unknown): TopicChange => ({
    topic: topic as Topic,
    count,
    kind: 'renamed',
    joined: members(count, info),
    left: [],
  });
  const sizeOf = (changes: readonly TopicChange[]) =>
    encodePresence({ from: 'n', kind: 'state', sequence: 1, part: 0, parts: 1, changes }).length;

  it('join all changes of a second, and fit a NATS server that accepts 64 KiB', () => {
    expect(partsOf([])).toEqual([[]]);
    expect(partsOf(Array.from({ length: 50 }, (_, i) => change(`chat.t${i}`, 10)))).toHaveLength(1);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 600 }), fc.nat({ max: 1000 })), { maxLength: 12 }), (topics) => {
        const changes = topics.map(([count, infoBytes], i) => change(`chat.t${i}`, count, 'ä'.repeat(infoBytes / 2)));
        for (const part of partsOf(changes)) expect(sizeOf(part)).toBeLessThan(PAYLOAD_BYTES_MAX);
      }),
      { numRuns: 30 },
    );
  });

  it('contain each topic completely, in as many parts as necessary', () => {
    const changes = [change('chat.a', 3), { ...change('chat.b', 2000, 'x'.repeat(100)), left: ['uold'] }, counted('chat.c' as Topic, 5)];
    const parts = partsOf(changes);
    expect(parts.length).toBeGreaterThan(2);
    const pieces = parts.flat().filter(({ topic }) => topic === 'chat.b');
    expect(pieces.map(({ kind }) => kind)).toEqual(['renamed', ...Array(pieces.length - 1).fill('named')]);
    expect(pieces.flatMap(({ joined }) => joined)).toEqual(changes[1]?.joined);
    expect(pieces.flatMap(({ left }) => left)).toEqual(['uold']);
    expect(new Set(pieces.map(({ count }) => count))).toEqual(new Set([2000]));
  });

  it('are decoded as they were encoded, and invalid ones are refused', () => {
    const message: PresenceMessage = { from: 'n', kind: 'changes', sequence: 7, changes: [change('chat.a', 2, { name: 'Ann', age: 7 })] };
    expect(decodePresence(encodePresence(message))).toEqual(message);
    for (const wrong of [
      {},
      { from: 'n' },
      { from: 'n', kind: 'other' },
      { from: '', kind: 'ask' },
      { from: 'n', kind: 'changes', sequence: -1, changes: [] },
      { from: 'n', kind: 'changes', sequence: 1, changes: [{ topic: A, count: 1 }] },
      { from: 'n', kind: 'changes', sequence: 1, changes: [{ ...change('a b', 0) }] },
    ]) {
      expect(decodePresence(encodePresence(wrong as never))).toBeUndefined();
    }
  });
});

describe('The peak of a number', () => {
  it('is the maximum of the time window, and stays at most a quarter of a second longer', () => {
    const times = fc.array(fc.record({ afterMs: fc.nat({ max: 700 }), value: fc.nat({ max: 20 }) }), { maxLength: 60 });
    fc.assert(
      fc.property(times, fc.constantFrom(0, 1000, 3000), (steps, windowMs) => {
        const peak = new Peak();
        const held: { value: number; untilMs: number }[] = [];
        let [value, nowMs] = [0, 1000];
        for (const { afterMs, value: next } of steps) {
          nowMs += afterMs;
          if (next < value) peak.fell(value, nowMs);
          held.push({ value, untilMs: nowMs });
          value = next;
          const within = (ms: number) => Math.max(value, ...held.filter(({ untilMs }) => untilMs > nowMs - ms).map((one) => one.value));
          const shown = peak.over(windowMs, value, nowMs);
          expect(shown).toBeGreaterThanOrEqual(within(windowMs));
          expect(shown).toBeLessThanOrEqual(within(windowMs + 250));
        }
        expect(peak.over(windowMs, value, nowMs + windowMs + 250)).toBe(value);
        expect(peak.isOver).toBe(true);
      }),
    );
  });
});
