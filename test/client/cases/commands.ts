import { type Case, codeOf, equal, holds, type Numbered, TEST_MS, TopicRecorder, until } from './case-context.ts';

/** Topics' iteration, errors and history; calls; measures. */
export const COMMANDS: readonly Case[] = [
  {
    name: 'gives items to a loop, through a cut, until it is left',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const numbers: number[] = [];
      await context.remote.run('publish', topic, { n: 1 });
      for await (const { data } of client.topic<Numbered>(topic, { snapshot: true })) {
        numbers.push(data.n);
        if (data.n === 2) await context.remote.run('cut');
        if (data.n === 4) break;
        await context.remote.run('publish', topic, { n: data.n + 1 });
      }
      equal(numbers, [1, 2, 3, 4]);
      // The loop has unsubscribed, so the topic may be subscribed to again.
      await context.listen(client, topic, {});
    },
  },
  {
    name: 'tells a loop in order what happened to the stream',
    async run(context) {
      const topic = context.topicName('short');
      const client = await context.connected();
      await context.remote.run('publish', topic, { n: 1 });
      const events = client.topic<Numbered>(topic, { snapshot: true }).events();
      await events.next();
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      for (let n = 2; n <= 80; n++) await context.remote.run('publish', topic, { n });
      await context.remote.run('proxy', { refusing: false });
      const kinds = [await events.next(), await events.next()].map(({ value }) => value.kind);
      equal(kinds, ['resync', 'item']);
      await events.return();
    },
  },
  {
    name: 'ends a loop that reads too slowly with an error, and no other loop',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      const slow = recorder.topic.items({ bufferMax: 2 });
      const thinned = recorder.topic.items({ bufferMax: 2, onFull: 'dropOldest' });
      for (const n of [1, 2, 3, 4]) await context.remote.run('publish', topic, { n });
      await recorder.reaches(4);
      equal([(await slow.next()).value?.data.n, (await slow.next()).value?.data.n, await codeOf(slow.next())], [1, 2, 'overflow']);
      equal([(await thinned.next()).value?.data.n, thinned.dropped], [3, 2]);
    },
  },
  {
    name: 'has one subscription a topic, for as long as somebody listens',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      const second: number[] = [];
      const same = client.topic<Numbered>(topic);
      const stop = same.subscribe(({ data }) => second.push(data.n));
      let code = 'taken';
      try {
        client.topic(topic, { snapshot: true }).subscribe(() => {});
      } catch (error) {
        code = (error as { code: string }).code;
      }
      equal(code, 'invalid');
      equal(client.topic(topic, {}).isActive, false, 'active before anybody listens');
      await context.remote.run('publish', topic, { n: 1 });
      await recorder.reaches(1);
      recorder.stop();
      await context.remote.run('publish', topic, { n: 2 });
      await until('the second listener to have both', () => second.length === 2);
      stop();
      stop();
      equal(same.isActive, false, 'active');
      const later = await context.listen(client, topic, { snapshot: true });
      equal([later.numbers, recorder.numbers], [[2], [1]]);
    },
  },
  {
    name: 'is told when a topic is not permitted, or not any more',
    async run(context) {
      const topic = context.topicName('closed');
      const anonymous = await context.connected();
      const refused = new TopicRecorder(anonymous, topic);
      await until('the refusal', () => refused.errors.length === 1);
      equal([refused.errors[0]?.code, refused.topic.isActive], ['unauthorized', false]);
      equal(await codeOf(anonymous.topic(topic).items().next()), 'unauthorized');

      let subscribe = ['closed.>'];
      const client = await context.connected({ token: () => context.remote.run('token', { expiresInMs: 2500, subscribe }) });
      const recorder = await context.listen(client, topic);
      const other = await context.listen(client, context.topicName());
      subscribe = [];
      await until('the end of the subscription', () => recorder.errors.length === 1);
      equal(
        [recorder.errors[0]?.code, recorder.topic.isActive, other.topic.isActive, client.state.status],
        ['forbidden', false, true, 'connected'],
      );
    },
  },
  {
    name: 'subscribes to what it is told to before there is a connection, and to more topics than fit one moment',
    async run(context) {
      const client = context.client();
      const recorder = Array.from({ length: 100 }, () => new TopicRecorder(client, context.topicName()));
      await client.connect();
      await until('all to be subscribed', () => recorder.every(({ subscribed }) => subscribed === 1));
      for (const [n, { topic }] of recorder.entries()) await context.remote.run('publish', topic.name, { n });
      await until('each to have its own', () => recorder.every(({ numbers }, n) => numbers[0] === n && numbers.length === 1));
    },
  },
  {
    name: 'reads the log',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const acks = [];
      for (const n of [1, 2, 3, 4]) acks.push(await context.remote.run('publish', topic, { n }));
      const last = await client.history<Numbered>(topic, { last: 2 });
      equal(
        last.items.map(({ data }) => data.n),
        [3, 4],
      );
      const since = { epoch: acks[0]?.epoch as string, offset: acks[0]?.offset as number };
      const page = await client.topic<Numbered>(topic).history({ since, limit: 2 });
      equal([page.items.map(({ data }) => data.n), page.complete, page.more], [[2, 3], true, true]);
      const rest = await client.history<Numbered>(topic, { since: { epoch: page.epoch, offset: page.offset } });
      equal([rest.items.map(({ data }) => data.n), rest.complete, rest.more], [[4], true, false]);
      equal(await codeOf(client.history(context.topicName('passing'))), 'unsupported');
    },
  },
  {
    name: 'calls, and gives up a call in time, on demand, or with its connection',
    async run(context) {
      const method = context.unique('m');
      const client = await context.connected({ token: () => context.remote.run('token') });
      equal(await codeOf(client.call(method)), 'no_responders');
      await context.remote.run('serve', method, true);
      await context.remote.run('serve', `${method}-slow`, false);
      equal(await client.call(method, { n: 1 }), { n: 1 });
      equal(await codeOf(client.call(`${method}-slow`, 1, { timeoutMs: 50 })), 'timeout');
      const abort = new AbortController();
      const aborted = codeOf(client.call(`${method}-slow`, 1, { signal: abort.signal }));
      abort.abort(Object.assign(new Error('not needed'), { code: 'mine' }));
      equal(await aborted, 'mine');
      equal(await codeOf(client.call(method, 1, { signal: abort.signal })), 'mine');
      const lost = codeOf(client.call(`${method}-slow`, 1));
      await client.history(context.topicName());
      await context.remote.run('cut');
      equal(await lost, 'connection_lost');
      equal(await client.call(method, 'asked while there is no connection'), 'asked while there is no connection');
    },
  },
  {
    name: 'measures',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ statsIntervalMs: 50 });
      const recorder = await context.listen(client, topic);
      let events = 0;
      let recent = 0;
      const stop = client.on('stats', ({ latency }) => {
        events++;
        recent += latency.count;
      });
      await context.remote.run('feed', { topic, ratePerSecond: 100 });
      await until('stats with latencies', () => events > 2 && recent > 20);
      stop();
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      const { items, bytesIn, bytesOut, latency, clockOffsetMs, rttMs } = client.stats();
      equal([items, latency.count], [published, published], 'items, latencies');
      holds(bytesIn > published * 50 && bytesOut > 50, `bytes, got ${bytesIn} and ${bytesOut}`);
      // Half a round trip, and what one machine's two clocks differ by.
      holds(Math.abs(clockOffsetMs as number) <= (rttMs as number) / 2 + 50, `one machine’s clock, got ${clockOffsetMs} and ${rttMs}`);
      holds(
        latency.p50Ms < TEST_MS && latency.p99Ms >= latency.p50Ms && latency.maxMs >= latency.minMs,
        `latencies, got ${JSON.stringify(latency)}`,
      );
    },
  },
];
