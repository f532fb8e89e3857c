import { withCompression } from '../../../src/client/compression.ts';
import type { Item } from '../../../src/client/index.ts';
import { type Case, equal, holds, type Numbered, until, whole } from './case-context.ts';

/** The publications that reach the callback, with failures of the connection. */
export const RECOVERY: readonly Case[] = [
  {
    name: 'gives the callback everything once and in order, through cuts at random',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      await context.remote.run('feed', { topic, ratePerSecond: 200, pad: 100 });
      const cuts = await context.remote.run('randomCuts', { count: context.remote.cuts, liveMsMax: 60, stallMs: 1200 });
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      equal(recorder.resyncs, [], 'resyncs');
      whole(recorder.numbers, published);
      const { disconnects, recovered, items } = client.stats();
      equal(items, published, 'items counted');
      holds(cuts >= context.remote.cuts, `${context.remote.cuts} cuts, there were ${cuts}`);
      holds(disconnects > 0 && recovered > 0, 'disconnects and recovered items');
      equal(recorder.items.filter(({ source }) => source === 'recovered').length, recovered, 'recovered items');
    },
  },
  {
    name: 'gives every item the time at which the log stored it, where they are asked for: also what was missed, and in the history',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic, { timestamps: true });
      const other = await context.listen(await context.connected(), topic);
      await context.remote.run('feed', { topic, ratePerSecond: 200, pad: 10 });
      // A connection that is cut before its first answer has missed nothing.
      do await context.remote.run('randomCuts', { count: 3, liveMsMax: 60, stallMs: 1200 });
      while (client.stats().recovered === 0);
      const published = await context.remote.run('stopFeed');
      await Promise.all([recorder.reaches(published), other.reaches(published)]);
      holds(client.stats().recovered > 0, 'recovered items');
      const { items } = await recorder.topic.history({ last: published, timestamps: true });
      const timesOf = (all: readonly Item<Numbered>[]) => all.map(({ publishedAtMs }) => publishedAtMs);
      equal(timesOf(recorder.items), timesOf(items), 'times');
      for (const time of timesOf(items)) holds(Math.abs((time ?? 0) - Date.now()) < 600_000, `${time} to be a time of this test`);
      equal([...new Set(timesOf(other.items))], [undefined], 'times that were not requested');
    },
  },
  {
    name: 'does the same with frames that come deflated',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected(withCompression({}));
      const recorder = await context.listen(client, topic);
      await context.remote.run('feed', { topic, ratePerSecond: 200, pad: 2000 });
      await context.remote.run('randomCuts', { count: Math.ceil(context.remote.cuts / 10), liveMsMax: 60, stallMs: 1200 });
      await recorder.count(300);
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      whole(recorder.numbers, published);
      const { bytesIn, items } = client.stats();
      holds(bytesIn < items * 2000, `${bytesIn} bytes for ${items} items to be fewer than the items have`);
    },
  },
  {
    name: 'has every key’s latest value in the end, through cuts at random',
    async run(context) {
      const topic = context.topicName('keyed');
      const client = await context.connected();
      const state = new Map<string | null, number>();
      const recorder = await context.listen(client, topic, { snapshot: true });
      recorder.topic.subscribe(({ key, data, offset }: Item<Numbered>) => {
        holds(data.n > (state.get(key) ?? 0), `${key} to go on from ${state.get(key)}, not ${data.n} (${offset})`);
        state.set(key, data.n);
      });
      await context.remote.run('feed', { topic, ratePerSecond: 300, keys: 20 });
      await context.remote.run('randomCuts', { count: Math.ceil(context.remote.cuts / 10), liveMsMax: 60, stallMs: 1200 });
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      const latest = Array.from({ length: Math.min(20, published) }, (_, index) => published - index);
      equal(
        [...state.values()].sort((a, b) => b - a),
        latest,
        'latest values',
      );
    },
  },
  {
    name: 'goes on where it was after a cut, and says what was recovered',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      await context.remote.run('publish', topic, { n: 1 });
      await recorder.reaches(1);
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      await until('the cut to be noticed', () => client.state.status === 'reconnecting');
      await context.remote.run('publish', topic, { n: 2 });
      await context.remote.run('publish', topic, { n: 3 });
      await context.remote.run('proxy', { refusing: false });
      await recorder.reaches(3);
      equal(
        recorder.items.map(({ data, source }) => [data.n, source]),
        [
          [1, 'live'],
          [2, 'recovered'],
          [3, 'recovered'],
        ],
      );
      equal([recorder.subscribed, recorder.recovered], [2, 1], 'subscribed, recovered');
    },
  },
  {
    name: 'says that it goes on when all of what was missed has come, in however many frames',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      let items = 0;
      const itemsWhenTold: number[] = [];
      client.topic(topic, { onSubscribed: () => itemsWhenTold.push(items) }).subscribe(() => items++);
      await until('the subscription', () => itemsWhenTold.length === 1);
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      await until('the cut to be noticed', () => client.state.status === 'reconnecting');
      for (let n = 1; n <= 30; n++) await context.remote.run('publish', topic, { n, text: 'x'.repeat(1000) });
      await context.remote.run('proxy', { refusing: false });
      await until('to be told again', () => itemsWhenTold.length === 2);
      equal([itemsWhenTold, client.stats().recovered], [[0, 30], 30], 'items when told, recovered');
    },
  },
  {
    name: 'goes on from a position that another client kept',
    async run(context) {
      const topic = context.topicName();
      const first = await context.listen(await context.connected(), topic);
      await context.remote.run('publish', topic, { n: 1 });
      await first.reaches(1);
      const since = first.topic.position;
      holds(since !== undefined, 'a position');
      equal([since.epoch, since.offset], [first.items[0]?.epoch, first.items[0]?.offset], 'position');
      for (const n of [2, 3]) await context.remote.run('publish', topic, { n });
      const second = await context.listen(await context.connected(), topic, { since });
      equal([second.numbers, second.recovered], [[2, 3], 1]);
    },
  },
  {
    name: 'starts over from the state, and says so, when what it missed is gone',
    async run(context) {
      const topic = context.topicName('short');
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      await context.remote.run('publish', topic, { n: 1 });
      await recorder.reaches(1);
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      // Past the log's five, and the 64 that the node holds.
      for (let n = 2; n <= 80; n++) await context.remote.run('publish', topic, { n });
      await context.remote.run('proxy', { refusing: false });
      await recorder.reaches(80);
      equal([recorder.numbers, recorder.items.at(-1)?.source], [[1, 80], 'snapshot'], 'items');
      equal(
        recorder.resyncs.map(({ items, after }) => [items.map(({ data }) => data.n), after]),
        [[[80], 1]],
        'resyncs',
      );
      await context.remote.run('publish', topic, { n: 81 });
      await recorder.reaches(81);
      equal(client.stats().resyncs, 1, 'resyncs counted');
    },
  },
  {
    name: 'starts over when the node that comes back has another log',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      await context.remote.run('publish', topic, { n: 1 });
      await recorder.reaches(1);
      const epoch = recorder.items[0]?.epoch;
      await context.remote.run('restart');
      await until('a resync', () => recorder.resyncs.length === 1);
      await context.remote.run('publish', topic, { n: 1 });
      await until('an item of the new log', () => recorder.items.length === 2);
      holds(recorder.items[1]?.epoch !== epoch, 'another epoch');
    },
  },
  {
    name: 'begins with the state when it is asked to, and only then',
    async run(context) {
      const topic = context.topicName('keyed');
      for (const [n, key] of [
        [1, 'a'],
        [2, 'b'],
        [3, 'a'],
      ] as const) {
        await context.remote.run('publish', topic, { n }, key);
      }
      const client = await context.connected();
      const recorder = await context.listen(client, topic, { snapshot: true });
      equal(
        recorder.items.map(({ key, data, source }) => [key, data.n, source]),
        [
          ['b', 2, 'snapshot'],
          ['a', 3, 'snapshot'],
        ],
      );
      const bare = await context.listen(await context.connected(), topic);
      equal(bare.items.length, 0);
      await context.remote.run('publish', topic, null, 'a');
      await bare.count(1);
      equal([bare.items[0]?.key, bare.items[0]?.removed], ['a', true]);
    },
  },
  {
    name: 'gets what an ephemeral topic has while it is there',
    async run(context) {
      const topic = context.topicName('passing');
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      for (const n of [1, 2, 3]) await context.remote.run('publish', topic, { n });
      await recorder.reaches(3);
      equal([recorder.numbers, recorder.topic.position], [[1, 2, 3], undefined]);
      await context.remote.run('cut');
      await until('it to be subscribed again', () => recorder.subscribed === 2);
      await context.remote.run('publish', topic, { n: 4 });
      await recorder.reaches(4);
      equal([recorder.numbers, recorder.resyncs.length], [[1, 2, 3, 4], 0]);
    },
  },
  {
    name: 'gets at most so many updates a second, the latest of each key, and knows how many it was spared',
    async run(context) {
      const topic = context.topicName('keyed');
      const client = await context.connected();
      const recorder = await context.listen(client, topic, { maxRateHz: 12 });
      equal(recorder.rateHz, 10, 'granted rate');
      await context.remote.run('feed', { topic, ratePerSecond: 500, keys: 5 });
      await recorder.count(40);
      await context.remote.run('cut');
      await recorder.count(100);
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      holds(
        recorder.numbers.every((n, index) => index === 0 || n > (recorder.numbers[index - 1] as number)),
        'rising numbers',
      );
      holds(client.stats().conflated > 0, 'conflated items');
      equal([recorder.resyncs.length, client.stats().gaps], [0, 0], 'resyncs, gaps');
    },
  },
  {
    name: 'is not given what it publishes itself, without echo',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      const recorder = await context.listen(client, topic, { echo: false });
      await client.publish(topic, { n: 1 });
      await context.remote.run('publish', topic, { n: 2 });
      await client.publish(topic, { n: 3 });
      await context.remote.run('publish', topic, { n: 4 });
      await recorder.reaches(4);
      equal([recorder.numbers, client.stats().gaps], [[2, 4], 0]);
    },
  },
];
