import type { Item } from '../../../src/client/index.ts';
import { type Case, codeOf, equal, holds, type Numbered, TopicRecorder, until } from './case-context.ts';

const shortly = (items: readonly Item<Numbered>[]) => items.map(({ key, data, source }) => [key, data.n, source]);

/** Several listeners to one topic; and what a client may be given as url and token. */
export const SHARING: readonly Case[] = [
  {
    name: 'shares one subscription among topics with the same options, each with its own callbacks',
    async run(context) {
      const topic = context.topicName('keyed');
      const client = await context.connected();
      const first = await context.listen(client, topic, { snapshot: true });
      const second = await context.listen(client, topic, { snapshot: true, echo: true });
      await context.remote.run('publish', topic, { n: 1 }, 'a');
      await Promise.all([first.reaches(1), second.reaches(1)]);
      await context.remote.run('cut');
      await until('both to be told of the new stream', () => first.subscribed === 2 && second.subscribed === 2);
      for (const other of [
        {},
        { snapshot: true, maxRateHz: 5 },
        { snapshot: true, echo: false },
        { snapshot: true, timestamps: true },
        { snapshot: true, since: { epoch: 'e', offset: 1 } },
      ]) {
        let code = 'taken';
        try {
          client.topic(topic, other).subscribe(() => {});
        } catch (error) {
          code = (error as { code: string }).code;
        }
        equal([code, other], ['invalid', other]);
      }
      first.stop();
      equal([first.topic.isActive, second.topic.isActive, second.topic.isLive], [false, true, true]);
      await context.remote.run('publish', topic, { n: 2 }, 'a');
      await second.reaches(2);
      equal([first.numbers, second.numbers], [[1], [1, 2]]);
      second.stop();
      // Nobody is left, so other options may be had.
      await context.listen(client, topic, {});
    },
  },
  {
    name: 'gives a listener that comes late the current state first, of a keyed topic: the latest item of every key that is there',
    async run(context) {
      const topic = context.topicName('keyed');
      await context.remote.run('publish', topic, { n: 1 }, 'a');
      await context.remote.run('publish', topic, { n: 2 }, 'b');
      const client = await context.connected();
      const first = await context.listen(client, topic, { snapshot: true });
      for (const [n, key] of [
        [3, 'c'],
        [4, 'a'],
        [5, 'd'],
      ] as const)
        await context.remote.run('publish', topic, { n }, key);
      await context.remote.run('publish', topic, null, 'c');
      await first.count(6);
      const late = new TopicRecorder(client, topic, { snapshot: true });
      equal(late.items.length, 0, 'items before the call has returned');
      await until('the state', () => late.subscribed === 1);
      equal(shortly(late.items), [
        ['b', 2, 'snapshot'],
        ['a', 4, 'snapshot'],
        ['d', 5, 'snapshot'],
      ]);
      await context.remote.run('publish', topic, { n: 6 }, 'b');
      await late.reaches(6);
      equal(shortly(late.items.slice(3)), [['b', 6, 'live']]);
      // In the middle of a batch, and for a loop.
      const inside: Item<Numbered>[] = [];
      const stop = first.topic.subscribe((item) => {
        if (item.data.n === 7) client.topic<Numbered>(topic).subscribe((one) => inside.push(one));
      });
      const loop = client.topic<Numbered>(topic).items({ bufferMax: 1 });
      equal((await loop.next()).value?.data.n, 4);
      await loop.return();
      for (const n of [7, 8, 9]) await context.remote.run('publish', topic, { n }, `k${n}`);
      await until('the listener from inside', () => inside.at(-1)?.data.n === 9);
      equal(new Set(inside.map(({ data }) => data.n)), new Set([4, 5, 6, 7, 8, 9]), 'each once');
      equal(inside.length, 6, 'items of the listener from inside');
      stop();
    },
  },
  {
    name: 'gives a listener that comes late the last item of a topic without keys, and nothing where no state was asked for',
    async run(context) {
      const client = await context.connected();
      const [withState, without, empty] = [context.topicName(), context.topicName(), context.topicName()];
      for (const [topic, options] of [
        [withState, { snapshot: true }],
        [without, {}],
      ] as const) {
        const first = await context.listen(client, topic, options);
        for (const n of [1, 2, 3]) await context.remote.run('publish', topic, { n });
        await first.reaches(3);
      }
      await context.listen(client, empty, { snapshot: true });
      const lates = [withState, without, empty].map(
        (topic) => new TopicRecorder(client, topic, topic === without ? {} : { snapshot: true }),
      );
      await until('the late ones to be told', () => lates[0]?.subscribed === 1 && lates[2]?.subscribed === 1);
      equal(
        lates.map(({ numbers }) => numbers),
        [[3], [], []],
      );
      for (const topic of [withState, without, empty]) await context.remote.run('publish', topic, { n: 4 });
      await Promise.all(lates.map((late) => late.reaches(4)));
      equal(
        lates.map(({ numbers }) => numbers),
        [[3, 4], [4], [4]],
      );
    },
  },
  {
    name: 'gives a late listener the state as it is after a cut and after the log was lost',
    async run(context) {
      const topic = context.topicName('keyed');
      const client = await context.connected();
      const first = await context.listen(client, topic, { snapshot: true });
      await context.remote.run('publish', topic, { n: 1 }, 'a');
      await context.remote.run('publish', topic, { n: 2 }, 'b');
      await first.count(2);
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      await context.remote.run('publish', topic, { n: 3 }, 'b');
      const offline = new TopicRecorder(client, topic, { snapshot: true });
      await until('what is known without a connection', () => offline.items.length === 2);
      holds(!offline.topic.isLive, 'not live without a connection');
      await context.remote.run('proxy', { refusing: false });
      await Promise.all([first.reaches(3), offline.reaches(3)]);
      await context.remote.run('restart');
      await until('the resync', () => first.resyncs.length > 0);
      await context.remote.run('publish', topic, { n: 9 }, 'z');
      await first.reaches(9);
      const late = new TopicRecorder(client, topic, { snapshot: true });
      await until('the state', () => late.subscribed === 1);
      equal(late.numbers, [9]);
    },
  },
  {
    name: 'keeps the state of so many keys at most: past the bound a late listener is refused, and the others go on',
    async run(context) {
      const topic = context.topicName('keyed');
      const client = await context.connected({ stateKeysMax: 3 });
      const first = await context.listen(client, topic, { snapshot: true });
      for (const n of [1, 2, 3]) await context.remote.run('publish', topic, { n }, `k${n}`);
      await first.reaches(3);
      const fits = new TopicRecorder(client, topic, { snapshot: true });
      await until('the state at the bound', () => fits.items.length === 3);
      await context.remote.run('publish', topic, { n: 4 }, 'k4');
      await first.reaches(4);
      const late = new TopicRecorder(client, topic, { snapshot: true });
      await until('the refusal', () => late.errors.length === 1);
      equal([late.errors[0]?.code, late.items.length, late.topic.isActive], ['overflow', 0, false]);
      equal(await codeOf(client.topic(topic).items().next()), 'overflow');
      await context.remote.run('publish', topic, { n: 5 }, 'k1');
      await Promise.all([first.reaches(5), fits.reaches(5)]);
      equal([first.errors, fits.errors], [[], []]);
    },
  },
  {
    name: 'takes a URL object, and null, undefined and an empty text as no token',
    async run(context) {
      for (const token of [null, undefined, '', () => null, () => undefined, () => '', async () => null]) {
        const client = await context.connected({ url: new URL(context.remote.url), token });
        equal(client.state.status === 'connected' && client.state.user, null);
      }
      const client = context.client({ token: (() => 7) as never });
      client.connect();
      await until('a failed attempt', () => client.state.status === 'connecting' && client.state.reason !== undefined);
      holds(
        client.state.status === 'connecting' && client.state.reason?.text.includes('token 7: expected text') === true,
        'a reason that says so',
      );
      equal(await codeOf(context.client({ token: 'x'.repeat(20_000) }).connect()), 'disconnected');
    },
  },
];
