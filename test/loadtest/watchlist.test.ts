import { describe, expect, it } from 'vitest';
import { runFeed } from '../../loadtest/core/feeder.ts';
import { WatchlistMap } from '../../loadtest/core/watchlist.ts';
import { WatchTally } from '../../loadtest/swarm/watch-tally.ts';
import { nowUs } from '../../src/bench/clock.ts';
import { PayloadMaker } from '../../src/bench/stamp.ts';

const PAYLOAD_BYTES = 100;
const maker = new PayloadMaker(PAYLOAD_BYTES);
const watch = { topics: 1000, perConnection: 50 };

describe('a watchlist', () => {
  it('assigns each connection the right number of different topics, and finds the place of each', () => {
    const map = new WatchlistMap(watch);
    for (const connection of [0, 1, 17, 3999]) {
      const topics = Array.from({ length: 50 }, (_, place) => map.topicAt(connection, place));
      expect(new Set(topics).size).toBe(50);
      for (const [place, topic] of topics.entries()) expect(map.placeOf(connection, topic)).toBe(place);
      const others = Array.from({ length: 1000 }, (_, topic) => topic).filter((topic) => !topics.includes(topic));
      for (const topic of others) expect(map.placeOf(connection, topic)).toBe(-1);
    }
  });

  it('spreads connections evenly over the topics', () => {
    const map = new WatchlistMap(watch);
    const members = new Array(1000).fill(0);
    for (let connection = 0; connection < 4000; connection++) {
      for (let place = 0; place < 50; place++) members[map.topicAt(connection, place)]++;
    }
    expect(Math.min(...members)).toBeGreaterThan(150);
    expect(Math.max(...members)).toBeLessThan(250);
  });

  it('gives connections with one topic one of their own, also those of several processes', () => {
    const users = { topics: 30, perConnection: 1 };
    const maps = [0, 10, 20].map((firstConnection) => new WatchlistMap({ ...users, firstConnection }));
    const topics = maps.flatMap((map) => Array.from({ length: 10 }, (_, connection) => map.topicAt(connection, 0)));
    expect(topics.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, topic) => topic));
    expect(maps[1]?.placeOf(3, 13)).toBe(0);
    expect(maps[1]?.placeOf(3, 3)).toBe(-1);
  });

  it('refuses a number of topics that its formula cannot spread over', () => {
    expect(() => new WatchlistMap({ topics: 379 * 2, perConnection: 5 })).toThrow(RangeError);
    expect(() => new WatchlistMap({ topics: 10, perConnection: 11 })).toThrow(RangeError);
  });

  it('knows how many of the first publications of a rotating feed are on a topic', async () => {
    const map = new WatchlistMap({ topics: 7, perConnection: 2 });
    const published = new Map<string, number[]>();
    const feed = { topic: 'bench.w', ratePerSecond: 1000, burst: 1, keys: 0, firstSequence: 0, rotateOver: 7 };
    const plan = { topics: [feed], startAtUs: nowUs() - 100_000, durationMs: 50, payloadBytes: PAYLOAD_BYTES };
    await runFeed(plan, (topic, payload) => {
      const sequence = Number(payload.toString().slice(15, 25));
      published.set(topic, [...(published.get(topic) ?? []), sequence]);
    });
    for (let topic = 0; topic < 7; topic++) {
      const sequences = published.get(`bench.w${topic}`) ?? [];
      expect(sequences).toEqual(Array.from({ length: map.publishedOn(topic, 50) }, (_, i) => i));
    }
  });
});

describe('a tally of a watchlist', () => {
  const setUp = () => {
    const tally = new WatchTally({ connections: 3, payloadBytes: PAYLOAD_BYTES, sampleEvery: 1, watch });
    tally.openWindow(0);
    const frame = (topic: number, sequences: readonly number[]) =>
      Buffer.from(`{"items":[${sequences.map((sequence) => maker.make(topic, sequence, 0).toString()).join(',')}]}`);
    const count = (connection: number, bytes: Buffer) => tally.count(connection, bytes, 0, bytes.length, 1);
    return { tally, frame, count };
  };

  it('is complete when each connection has everything of its own topics', () => {
    const { tally, frame, count } = setUp();
    for (let connection = 0; connection < 3; connection++) {
      expect(tally.behind(2000, connection)).toBe(3 - connection);
      for (let place = 0; place < 50; place++) expect(count(connection, frame(tally.map.topicAt(connection, place), [0, 1]))).toBe(2);
    }
    expect(tally.behind(2000, 0)).toBe(0);
    expect(tally).toMatchObject({ delivered: 300, frames: 150, skipped: 0, repeated: 0, stray: 0 });
  });

  it('detects missing, repeated and unrequested items', () => {
    const { tally, frame, count } = setUp();
    const topic = tally.map.topicAt(0, 7);
    count(0, frame(topic, [0, 2]));
    count(0, frame(topic, [2]));
    const stranger = Array.from({ length: 1000 }, (_, number) => number).find((number) => tally.map.placeOf(0, number) < 0)!;
    count(0, frame(stranger, [0]));
    expect(tally).toMatchObject({ delivered: 4, skipped: 1, repeated: 1, stray: 1 });
    expect(tally.behind(1000, 0)).toBe(3);
  });

  it('continues where the previous window ended', () => {
    const { tally, frame, count } = setUp();
    tally.openWindow(1500);
    const topic = tally.map.topicAt(1, 0);
    count(1, frame(topic, [topic < 500 ? 2 : 1]));
    expect(tally).toMatchObject({ skipped: 0, repeated: 0 });
  });
});
