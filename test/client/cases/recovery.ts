import type { Item } from '../../../src/client/index.ts';
import { type Case, equal, holds, type Numbered, until, whole } from './kit.ts';

/** What comes through to the callback, whatever happens to the connection. */
export const RECOVERY: readonly Case[] = [
  {
    name: 'gives the callback everything once and in order, through cuts at random',
    async run(kit) {
      const topic = kit.topicName();
      const client = await kit.connected();
      const ear = await kit.listen(client, topic);
      await kit.remote.run('feed', { topic, ratePerSecond: 200, pad: 100 });
      const cuts = await kit.remote.run('randomCuts', { count: kit.remote.cuts, liveMsMax: 60, stallMs: 1200 });
      const published = await kit.remote.run('stopFeed');
      await ear.reaches(published);
      equal(ear.resyncs, [], 'resyncs');
      whole(ear.numbers, published);
      const { disconnects, recovered, items } = client.stats();
      equal(items, published, 'items counted');
      holds(cuts >= kit.remote.cuts, `${kit.remote.cuts} cuts, there were ${cuts}`);
      holds(disconnects > 0 && recovered > 0, 'disconnects and recovered items');
      equal(ear.items.filter(({ source }) => source === 'recovered').length, recovered, 'recovered items');
    },
  },
  {
    name: 'does the same with frames that come deflated',
    async run(kit) {
      const topic = kit.topicName();
      const client = await kit.connected({ compression: true });
      const ear = await kit.listen(client, topic);
      await kit.remote.run('feed', { topic, ratePerSecond: 200, pad: 2000 });
      await kit.remote.run('randomCuts', { count: Math.ceil(kit.remote.cuts / 10), liveMsMax: 60, stallMs: 1200 });
      await ear.count(300);
      const published = await kit.remote.run('stopFeed');
      await ear.reaches(published);
      whole(ear.numbers, published);
      const { bytesIn, items } = client.stats();
      holds(bytesIn < items * 2000, `${bytesIn} bytes for ${items} items to be fewer than the items have`);
    },
  },
  {
    name: 'has every key’s latest value in the end, through cuts at random',
    async run(kit) {
      const topic = kit.topicName('keyed');
      const client = await kit.connected();
      const state = new Map<string | null, number>();
      const ear = await kit.listen(client, topic, { snapshot: true });
      ear.topic.subscribe(({ key, data, offset }: Item<Numbered>) => {
        holds(data.n > (state.get(key) ?? 0), `${key} to go on from ${state.get(key)}, not ${data.n} (${offset})`);
        state.set(key, data.n);
      });
      await kit.remote.run('feed', { topic, ratePerSecond: 300, keys: 20 });
      await kit.remote.run('randomCuts', { count: Math.ceil(kit.remote.cuts / 10), liveMsMax: 60, stallMs: 1200 });
      const published = await kit.remote.run('stopFeed');
      await ear.reaches(published);
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
    async run(kit) {
      const topic = kit.topicName();
      const client = await kit.connected();
      const ear = await kit.listen(client, topic);
      await kit.remote.run('publish', topic, { n: 1 });
      await ear.reaches(1);
      await kit.remote.run('proxy', { refusing: true });
      await kit.remote.run('cut');
      await until('the cut to be noticed', () => client.state.status === 'reconnecting');
      await kit.remote.run('publish', topic, { n: 2 });
      await kit.remote.run('publish', topic, { n: 3 });
      await kit.remote.run('proxy', { refusing: false });
      await ear.reaches(3);
      equal(
        ear.items.map(({ data, source }) => [data.n, source]),
        [
          [1, 'live'],
          [2, 'recovered'],
          [3, 'recovered'],
        ],
      );
      equal([ear.subscribed, ear.recovered], [2, 1], 'subscribed, recovered');
    },
  },
  {
    name: 'says that it goes on when all of what was missed has come, in however many frames',
    async run(kit) {
      const topic = kit.topicName();
      const client = await kit.connected();
      let items = 0;
      const itemsWhenTold: number[] = [];
      client.topic(topic, { onSubscribed: () => itemsWhenTold.push(items) }).subscribe(() => items++);
      await until('the subscription', () => itemsWhenTold.length === 1);
      await kit.remote.run('proxy', { refusing: true });
      await kit.remote.run('cut');
      await until('the cut to be noticed', () => client.state.status === 'reconnecting');
      for (let n = 1; n <= 30; n++) await kit.remote.run('publish', topic, { n, text: 'x'.repeat(1000) });
      await kit.remote.run('proxy', { refusing: false });
      await until('to be told again', () => itemsWhenTold.length === 2);
      equal([itemsWhenTold, client.stats().recovered], [[0, 30], 30], 'items when told, recovered');
    },
  },
  {
    name: 'goes on from a position that another client kept',
    async run(kit) {
      const topic = kit.topicName();
      const first = await kit.listen(await kit.connected(), topic);
      await kit.remote.run('publish', topic, { n: 1 });
      await first.reaches(1);
      const since = first.topic.position;
      holds(since !== undefined, 'a position');
      equal([since.epoch, since.offset], [first.items[0]?.epoch, first.items[0]?.offset], 'position');
      for (const n of [2, 3]) await kit.remote.run('publish', topic, { n });
      const second = await kit.listen(await kit.connected(), topic, { since });
      equal([second.numbers, second.recovered], [[2, 3], 1]);
    },
  },
  {
    name: 'starts over from the state, and says so, when what it missed is gone',
    async run(kit) {
      const topic = kit.topicName('short');
      const client = await kit.connected();
      const ear = await kit.listen(client, topic);
      await kit.remote.run('publish', topic, { n: 1 });
      await ear.reaches(1);
      await kit.remote.run('proxy', { refusing: true });
      await kit.remote.run('cut');
      // Past the log's five, and the 64 that the node holds.
      for (let n = 2; n <= 80; n++) await kit.remote.run('publish', topic, { n });
      await kit.remote.run('proxy', { refusing: false });
      await ear.reaches(80);
      equal([ear.numbers, ear.items.at(-1)?.source], [[1, 80], 'snapshot'], 'items');
      equal(
        ear.resyncs.map(({ items, after }) => [items.map(({ data }) => data.n), after]),
        [[[80], 1]],
        'resyncs',
      );
      await kit.remote.run('publish', topic, { n: 81 });
      await ear.reaches(81);
      equal(client.stats().resyncs, 1, 'resyncs counted');
    },
  },
  {
    name: 'starts over when the node that comes back has another log',
    async run(kit) {
      const topic = kit.topicName();
      const client = await kit.connected();
      const ear = await kit.listen(client, topic);
      await kit.remote.run('publish', topic, { n: 1 });
      await ear.reaches(1);
      const epoch = ear.items[0]?.epoch;
      await kit.remote.run('restart');
      await until('a resync', () => ear.resyncs.length === 1);
      await kit.remote.run('publish', topic, { n: 1 });
      await until('an item of the new log', () => ear.items.length === 2);
      holds(ear.items[1]?.epoch !== epoch, 'another epoch');
    },
  },
  {
    name: 'begins with the state when it is asked to, and only then',
    async run(kit) {
      const topic = kit.topicName('keyed');
      for (const [n, key] of [
        [1, 'a'],
        [2, 'b'],
        [3, 'a'],
      ] as const) {
        await kit.remote.run('publish', topic, { n }, key);
      }
      const client = await kit.connected();
      const ear = await kit.listen(client, topic, { snapshot: true });
      equal(
        ear.items.map(({ key, data, source }) => [key, data.n, source]),
        [
          ['b', 2, 'snapshot'],
          ['a', 3, 'snapshot'],
        ],
      );
      const bare = await kit.listen(await kit.connected(), topic);
      equal(bare.items.length, 0);
      await kit.remote.run('publish', topic, null, 'a');
      await bare.count(1);
      equal([bare.items[0]?.key, bare.items[0]?.removed], ['a', true]);
    },
  },
  {
    name: 'gets what an ephemeral topic has while it is there',
    async run(kit) {
      const topic = kit.topicName('user');
      const client = await kit.connected();
      const ear = await kit.listen(client, topic);
      for (const n of [1, 2, 3]) await kit.remote.run('publish', topic, { n });
      await ear.reaches(3);
      equal([ear.numbers, ear.topic.position], [[1, 2, 3], undefined]);
      await kit.remote.run('cut');
      await until('it to be subscribed again', () => ear.subscribed === 2);
      await kit.remote.run('publish', topic, { n: 4 });
      await ear.reaches(4);
      equal([ear.numbers, ear.resyncs.length], [[1, 2, 3, 4], 0]);
    },
  },
  {
    name: 'gets at most so many updates a second, the latest of each key, and knows how many it was spared',
    async run(kit) {
      const topic = kit.topicName('keyed');
      const client = await kit.connected();
      const ear = await kit.listen(client, topic, { maxRateHz: 12 });
      equal(ear.rateHz, 10, 'granted rate');
      await kit.remote.run('feed', { topic, ratePerSecond: 500, keys: 5 });
      await ear.count(40);
      await kit.remote.run('cut');
      await ear.count(100);
      const published = await kit.remote.run('stopFeed');
      await ear.reaches(published);
      holds(
        ear.numbers.every((n, index) => index === 0 || n > (ear.numbers[index - 1] as number)),
        'rising numbers',
      );
      holds(client.stats().conflated > 0, 'conflated items');
      equal([ear.resyncs.length, client.stats().gaps], [0, 0], 'resyncs, gaps');
    },
  },
  {
    name: 'is not given what it publishes itself, without echo',
    async run(kit) {
      const topic = kit.topicName();
      const client = await kit.connected({ token: () => kit.remote.run('token') });
      const ear = await kit.listen(client, topic, { echo: false });
      await client.publish(topic, { n: 1 });
      await kit.remote.run('publish', topic, { n: 2 });
      await client.publish(topic, { n: 3 });
      await kit.remote.run('publish', topic, { n: 4 });
      await ear.reaches(4);
      equal([ear.numbers, client.stats().gaps], [[2, 4], 0]);
    },
  },
];
