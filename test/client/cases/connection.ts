import { UnauthorizedError } from '../../../src/client/index.ts';
import { type Case, codeOf, equal, holds, statesOf, TEST_MS, until, whole } from './case-context.ts';

/** The connection's states, its liveness, its token, its end. */
export const CONNECTION: readonly Case[] = [
  {
    name: 'tells every change of its state, with the reason and the next attempt’s time',
    async run(context) {
      const client = context.client({ backoff: { baseMs: 100, maxMs: 200, jitterMs: 0 } });
      equal(client.state.status, 'disconnected');
      const states = statesOf(client);
      const iterated: string[] = [];
      const iterating = (async () => {
        for await (const { status } of client.states()) iterated.push(status);
      })();
      await client.connect();
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      await until('three failed attempts', () => states.some((state) => state.status === 'reconnecting' && state.attempt === 3));
      await context.remote.run('proxy', { refusing: false });
      await until('the connection to be back', () => client.state.status === 'connected');
      await client.close();
      await iterating;
      const told = states.map((state) => ('attempt' in state ? `${state.status} ${state.attempt}` : state.status));
      holds(told.join() === [...new Set(told)].join() || told.length > 5, 'no state told twice in a row');
      equal(told.slice(0, 3), ['disconnected', 'connecting 0', 'connected']);
      equal(told.slice(-2), ['connected', 'disconnected']);
      const waiting = states.find((state) => state.status === 'reconnecting' && state.nextAttemptAtMs !== undefined);
      holds(waiting?.status === 'reconnecting' && waiting.reason !== undefined, 'a reason');
      equal(waiting.reason.code, 1006);
      const inMs = (waiting.nextAttemptAtMs as number) - Date.now();
      holds(Math.abs(inMs) < TEST_MS, `the next attempt’s time as time since 1970, not ${inMs} ms from now`);
      equal([iterated[0], iterated.at(-1)], ['disconnected', 'disconnected']);
    },
  },
  {
    name: 'notices a server that has gone silent, and loses nothing by it',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected();
      const recorder = await context.listen(client, topic);
      await context.remote.run('feed', { topic, ratePerSecond: 100 });
      await recorder.count(10);
      const states = statesOf(client);
      await context.remote.run('proxy', { stalled: true });
      await until('the silence to be noticed', () => states.length > 1);
      const [, state] = states;
      holds(
        state?.status === 'reconnecting' && state.reason?.text.includes('ping') === true,
        `a reason that names pings, not ${JSON.stringify(state)}`,
      );
      await context.remote.run('proxy', { stalled: false });
      await recorder.count(100);
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      whole(recorder.numbers, published);
    },
  },
  {
    name: 'notices a connection that is half open',
    async run(context) {
      const client = await context.connected();
      const states = statesOf(client);
      await context.remote.run('cut', 'half');
      await until('it to be back', () => states.some(({ status }) => status === 'reconnecting') && client.state.status === 'connected');
    },
  },
  {
    name: 'gives up an attempt that takes too long',
    async run(context) {
      await context.remote.run('proxy', { stalled: true });
      const client = context.client({ connectTimeoutMs: 200 });
      const connecting = client.connect();
      await until('a failed attempt', () => client.state.status === 'connecting' && client.state.attempt > 0);
      await context.remote.run('proxy', { stalled: false });
      await connecting;
    },
  },
  {
    name: 'tries its URLs in turn',
    async run(context) {
      const dead = context.remote.url.replace(/:\d+/, ':9');
      const client = await context.connected({ url: [dead, context.remote.url] });
      const { state } = client;
      holds(state.status === 'connected' && state.url === context.remote.url, 'the second URL');
    },
  },
  {
    name: 'works with every packet in slices, and over a slow way',
    async run(context) {
      await context.remote.run('proxy', { sliceBytesMax: 3, delayMs: 30 });
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      const recorder = await context.listen(client, topic);
      for (let n = 1; n <= 20; n++) void client.publish(topic, { n, text: 'x'.repeat(500) });
      await recorder.reaches(20);
      whole(recorder.numbers, 20);
      const { rttMs, clockOffsetMs, latency } = client.stats();
      holds(rttMs !== undefined && rttMs >= 58, `a round trip of 60 ms at least, not ${rttMs}`);
      holds(
        Math.abs(clockOffsetMs as number) < (rttMs as number),
        `clocks of one machine to differ by less than the way, not ${clockOffsetMs} ms`,
      );
      holds(latency.count > 0 && latency.p50Ms < TEST_MS, `latencies, got ${JSON.stringify(latency)}`);
    },
  },
  {
    name: 'refreshes its token before it expires, on the same connection, without a gap',
    async run(context) {
      const topic = context.topicName('closed');
      let tokens = 0;
      const token = () => {
        tokens++;
        // It is refreshed at least an eighth of that before: time enough on a machine that is busy.
        return context.remote.run('token', { expiresInMs: 6000 });
      };
      const client = await context.connected({ token });
      const states = statesOf(client);
      const recorder = await context.listen(client, topic);
      await context.remote.run('feed', { topic, ratePerSecond: 50 });
      await until('the third token', () => tokens === 3);
      await recorder.count(recorder.items.length + 20);
      const published = await context.remote.run('stopFeed');
      await recorder.reaches(published);
      whole(recorder.numbers, published);
      equal(
        states.map(({ status }) => status),
        ['connected'],
        'states',
      );
      equal([recorder.subscribed, client.stats().disconnects], [1, 0]);
    },
  },
  {
    name: 'gets another token when the first has expired, and stops when there is none to be had',
    async run(context) {
      const tokens = [await context.remote.run('token', { expiresInMs: -10_000 }), await context.remote.run('token')];
      const client = await context.connected({ token: () => tokens.shift() as string });
      equal([client.state.status, tokens.length], ['connected', 0]);
      const refused = context.client({ token: () => Promise.reject(new UnauthorizedError('logged out')) });
      equal(await codeOf(refused.connect()), 'disconnected');
      const { state } = refused;
      equal(state, { status: 'disconnected', reason: { code: 4001, text: 'cannot connect: logged out' } });
    },
  },
  {
    name: 'tries again when the token cannot be had for now',
    async run(context) {
      let tries = 0;
      const client = await context.connected({
        token: async () => {
          if (++tries < 3) throw new Error('the token service is down');
          return await context.remote.run('token');
        },
      });
      equal([client.state.status, tries], ['connected', 3]);
    },
  },
  {
    name: 'stops when it is refused for good, fails what waits, and connects again when it is told to',
    async run(context) {
      const topic = context.topicName();
      let token = 'no.such.token';
      const client = context.client({ token: () => token });
      const connecting = client.connect();
      const publishing = client.publish(topic, { n: 1 });
      const calling = client.call('echo');
      equal([await codeOf(connecting), await codeOf(publishing), await codeOf(calling)], ['disconnected', 'disconnected', 'disconnected']);
      const { state } = client;
      holds(state.status === 'disconnected' && state.reason.code === 4001, `code 4001, not ${JSON.stringify(state)}`);
      equal(await codeOf(client.publish(topic, { n: 1 })), 'disconnected');
      const recorder = context.listen(client, topic);
      token = await context.remote.run('token');
      await client.connect();
      await client.publish(topic, { n: 1 });
      await recorder;
    },
  },
  {
    name: 'ends with everything that waits when it is closed',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      await context.remote.run('proxy', { swallowing: true });
      const items = client.topic(topic).items();
      const waiting = [client.publish(topic, 1), client.call('echo'), client.history(topic)].map(codeOf);
      const next = items.next();
      await client.close();
      equal(await Promise.all(waiting), ['outcome_unknown', 'connection_lost', 'disconnected']);
      equal(await next, { done: true });
      equal(client.state, { status: 'disconnected', reason: { code: 1000, text: 'closed by the application' } });
      equal(await codeOf(client.publish(topic, 1)), 'disconnected');
      await client.close();
    },
  },
];
