import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import type { PublishAck, PublishRequest } from '../../src/bus/publication.ts';
import { startDemoFeeds } from '../../src/demo/feeds.ts';
import { type MatchEvent, matchEvents } from '../../src/demo/match.ts';
import { pick, seededRandom } from '../../src/demo/random.ts';
import { COMPANIES, ticks } from '../../src/demo/ticker.ts';
import { createLogger } from '../../src/telemetry/log.ts';

function take<T>(count: number, from: Generator<T, never>): T[] {
  return Array.from({ length: count }, () => from.next().value);
}

describe('seededRandom', () => {
  it('gives the same numbers for the same seed, others for another, all in [0, 1)', () => {
    const draw = (seed: number) =>
      take(
        1000,
        (function* () {
          const random = seededRandom(seed);
          while (true) yield random();
        })(),
      );
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(3).every((value) => value >= 0 && value < 1)).toBe(true);
  });

  it('picks every choice sooner or later', () => {
    const random = seededRandom(1);
    expect(
      new Set(
        take(
          100,
          (function* () {
            while (true) yield pick(random, ['a', 'b', 'c']);
          })(),
        ),
      ),
    ).toEqual(new Set(['a', 'b', 'c']));
  });
});

describe('matchEvents', () => {
  const events = take(2000, matchEvents(seededRandom(7)));
  /** All that were played to the end. */
  const matches = Array.from({ length: (events.at(-1)?.match ?? 0) - 1 }, (_, i) => events.filter((event) => event.match === i + 1));

  it('plays whole matches one after the other: kick-off, half-time, full time', () => {
    expect(matches.length).toBeGreaterThan(5);
    for (const match of matches) {
      expect(match[0]?.type).toBe('kick-off');
      expect(match.filter((event) => event.type === 'half-time')).toHaveLength(1);
      expect(match.at(-1)?.type).toBe('full-time');
      expect(match[0]?.home).not.toBe(match[0]?.away);
    }
  });

  it('never runs backwards, and scores exactly its goals', () => {
    for (const match of matches) {
      const minutes = match.map((event) => event.minute);
      expect(minutes).toEqual(minutes.toSorted((a, b) => a - b));
      const goals = match.filter((event) => event.type === 'goal');
      const { home } = match[0] as MatchEvent;
      const ofHome = goals.filter((event) => event.team === home).length;
      expect(match.at(-1)?.score).toEqual([ofHome, goals.length - ofHome]);
    }
  });

  it('says that it is fictional', () => {
    expect(matches[0]?.[0]?.text).toContain('fictional match');
  });
});

describe('ticks', () => {
  it('quotes every company within a spread, for ever within bounds', () => {
    const quotes = take(20_000, ticks(seededRandom(3), 20));
    expect(new Set(quotes.map((tick) => tick.symbol))).toEqual(new Set(COMPANIES.map((company) => company.symbol)));
    for (const { symbol, price, bid, ask } of quotes) {
      const first = COMPANIES.find((company) => company.symbol === symbol)?.price ?? 0;
      expect(bid <= price && price <= ask && price >= first * 0.2 && price <= first * 4.01).toBe(true);
    }
  });
});

describe('startDemoFeeds', () => {
  /** Keeps what is published; the real buses have their own suite. */
  function recorder(answer: () => Promise<PublishAck>): { bus: Bus; requests: PublishRequest[] } {
    const requests: PublishRequest[] = [];
    const publish = (request: PublishRequest) => {
      requests.push(request);
      return answer();
    };
    return { bus: { publish } as unknown as Bus, requests };
  }
  const ack = { epoch: 'e', offset: 1, duplicate: false };

  it('publishes about a match event a second and twenty ticks, as JSON with atMs, until stopped', async () => {
    vi.useFakeTimers();
    try {
      const { bus, requests } = recorder(async () => ack);
      const feeds = startDemoFeeds(bus, createLogger({ level: 'silent', pretty: false }), { isWanted: () => false, seed: 1 });
      await vi.advanceTimersByTimeAsync(10_000);
      feeds.stop();
      const published = requests.length;
      const scores = requests.filter((request) => request.topic === 'scores.demo');
      const quotes = requests.filter((request) => request.topic === 'ticks.demo');
      expect(scores).toHaveLength(10);
      expect(quotes.length).toBeGreaterThan(190);
      expect(scores.every((request) => request.key === null && request.payloadKind === 'json')).toBe(true);
      const tick = JSON.parse(new TextDecoder().decode(quotes[0]?.payload));
      expect(tick).toMatchObject({ symbol: quotes[0]?.key, atMs: expect.any(Number), price: expect.any(Number) });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(requests).toHaveLength(published);
    } finally {
      vi.useRealTimers();
    }
  });

  it('publishes ticks a thousand times a second and counts numbers up only while somebody is subscribed', async () => {
    vi.useFakeTimers();
    try {
      const { bus, requests } = recorder(async () => ack);
      const wanted = new Set<string>();
      const isWanted = (topic: string) => wanted.has(topic);
      const feeds = startDemoFeeds(bus, createLogger({ level: 'silent', pretty: false }), { isWanted, seed: 1 });
      const published = (topic: string) => requests.filter((request) => request.topic === topic);
      await vi.advanceTimersByTimeAsync(3000);
      expect([published('ticks.demo-fast').length, published('scores.demo-numbers').length]).toEqual([0, 0]);
      wanted.add('ticks.demo-fast').add('scores.demo-numbers');
      await vi.advanceTimersByTimeAsync(10_000);
      expect(published('ticks.demo-fast').length).toBeGreaterThan(9900);
      expect(published('ticks.demo-fast').length).toBeLessThanOrEqual(10_000);
      const numbers = published('scores.demo-numbers').map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)));
      expect(numbers.length).toBeGreaterThan(490);
      expect(numbers.map(({ n }) => n)).toEqual(numbers.map((_, index) => index + 1));
      expect(new Set(numbers.map(({ run }) => run)).size).toBe(1);
      wanted.clear();
      await vi.advanceTimersByTimeAsync(10);
      const before = requests.length;
      await vi.advanceTimersByTimeAsync(40);
      expect(requests.length - before).toBeLessThanOrEqual(2);
      feeds.stop();
    } finally {
      vi.useRealTimers();
    }
  });

  it('begins another count after a number that may not be in the log', async () => {
    vi.useFakeTimers();
    try {
      let failing = false;
      const { bus, requests } = recorder(async () => {
        if (failing) throw new Error('no bus');
        return ack;
      });
      const isWanted = (topic: string) => topic === 'scores.demo-numbers';
      const feeds = startDemoFeeds(bus, createLogger({ level: 'silent', pretty: false }), { isWanted, seed: 1 });
      await vi.advanceTimersByTimeAsync(1000);
      failing = true;
      await vi.advanceTimersByTimeAsync(200);
      failing = false;
      await vi.advanceTimersByTimeAsync(1000);
      feeds.stop();
      const numbers = requests
        .filter(({ topic }) => topic === 'scores.demo-numbers')
        .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)) as { run: string; n: number });
      const last = numbers.at(-1);
      expect(last?.run).not.toBe(numbers[0]?.run);
      const lastRun = numbers.filter(({ run }) => run === last?.run).map(({ n }) => n);
      expect(lastRun).toEqual(lastRun.map((_, index) => index + 1));
    } finally {
      vi.useRealTimers();
    }
  });

  it('keeps at most 64 publications waiting', async () => {
    vi.useFakeTimers();
    try {
      const { bus, requests } = recorder(() => new Promise(() => {}));
      const feeds = startDemoFeeds(bus, createLogger({ level: 'silent', pretty: false }), { isWanted: () => false, seed: 1 });
      await vi.advanceTimersByTimeAsync(20_000);
      feeds.stop();
      expect(requests).toHaveLength(64);
    } finally {
      vi.useRealTimers();
    }
  });

  it('logs once that it cannot publish, and continues', async () => {
    vi.useFakeTimers();
    try {
      const { bus, requests } = recorder(() => Promise.reject(new Error('no bus')));
      const stream = new PassThrough();
      const feeds = startDemoFeeds(bus, createLogger({ level: 'warn', pretty: false }, stream), { isWanted: () => false, seed: 1 });
      await vi.advanceTimersByTimeAsync(5000);
      feeds.stop();
      expect(requests.length).toBeGreaterThan(90);
      expect(String(stream.read()).trim().split('\n')).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });
});
