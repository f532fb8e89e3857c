import type { Client } from '../../../src/client/index.ts';
import { type Case, codeOf, equal, holds, type Numbered, pause, until } from './case-context.ts';

const values = (log: readonly [number, unknown][]) => log.map(([, value]) => (value as Numbered).n);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** The log's content after publishes, with failures of the connection. */
export const PUBLISHING: readonly Case[] = [
  {
    name: 'says where in the log a publication is',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      const ack = await client.publish(topic, { n: 1 });
      equal([ack.duplicate, [[ack.offset, { n: 1 }]]], [false, await context.remote.run('log', topic)]);
      const again = await client.publish(topic, { n: 1 }, { idempotencyKey: ack.idempotencyKey });
      equal([again.duplicate, again.offset], [true, ack.offset]);
    },
  },
  {
    name: 'stores a publication once whose answer was lost with the connection',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      await context.remote.run('proxy', { swallowing: true });
      const publishing = client.publish(topic, { n: 1 });
      let stored: [number, unknown][] = [];
      while (stored.length === 0) stored = await context.remote.run('log', topic);
      // Swallowed to the end: the log may have it before its answer is on the way.
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      await context.remote.run('proxy', { refusing: false, swallowing: false });
      const ack = await publishing;
      equal([ack.duplicate, ack.offset], [true, stored[0]?.[0]], 'ack');
      equal(await context.remote.run('log', topic), stored, 'log');
      equal(client.stats().publishDuplicates, 1, 'duplicates counted');
    },
  },
  {
    name: 'stores each once and in order, through cuts at random',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      let [last, over] = [0, false];
      const cutting = context.remote
        .run('randomCuts', { count: Math.ceil(context.remote.cuts / 10), liveMsMax: 60, stallMs: 1200 })
        .finally(() => {
          over = true;
        });
      const publishing: Promise<unknown>[] = [];
      while (!over) {
        // A machine that stores more slowly than this publishes fills the queue: what happens then is another case's.
        if (client.stats().publishesWaiting < 500) publishing.push(client.publish(topic, { n: ++last }));
        await pause(3);
      }
      await cutting;
      await Promise.all(publishing);
      equal(values(await context.remote.run('log', topic)), upTo(last), 'log');
      holds(client.stats().disconnects > 0, 'disconnects');
    },
  },
  {
    name: 'keeps what is published without a connection, as much as it may, and sends it in order',
    async run(context) {
      const topic = context.topicName();
      await context.remote.run('proxy', { refusing: true });
      const client = context.client({ token: () => context.remote.run('token'), publish: { queueMax: 3 } });
      void client.connect();
      const publishing = upTo(4).map((n) => codeOf(client.publish(topic, { n })));
      equal([await publishing[3], client.stats().publishesWaiting], ['queue_full', 3]);
      await context.remote.run('proxy', { refusing: false });
      equal(await Promise.all(publishing), ['resolved', 'resolved', 'resolved', 'queue_full']);
      equal(values(await context.remote.run('log', topic)), [1, 2, 3], 'log');
    },
  },
  {
    name: 'lets the oldest go where that is the policy',
    async run(context) {
      const topic = context.topicName();
      await context.remote.run('proxy', { refusing: true });
      const client = context.client({ token: () => context.remote.run('token'), publish: { queueMax: 2, onFull: 'dropOldest' } });
      void client.connect();
      const publishing = upTo(3).map((n) => codeOf(client.publish(topic, { n })));
      await context.remote.run('proxy', { refusing: false });
      equal(await Promise.all(publishing), ['dropped', 'resolved', 'resolved']);
      equal(values(await context.remote.run('log', topic)), [2, 3], 'log');
    },
  },
  {
    name: 'says when it cannot know whether a publication is stored, and when it surely is not',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token'), publish: { budgetMs: 300 } });
      await context.remote.run('proxy', { swallowing: true });
      equal(await codeOf(client.publish(topic, { n: 1 })), 'outcome_unknown');
      await context.remote.run('proxy', { refusing: true });
      await context.remote.run('cut');
      await until('the cut to be noticed', () => client.state.status === 'reconnecting');
      equal(await codeOf(client.publish(topic, { n: 2 })), 'timeout');
      equal(values(await context.remote.run('log', topic)), [1], 'log');
    },
  },
  {
    name: 'tells the server’s refusals by their codes, and goes on',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      equal(await codeOf(client.publish('nowhere.a', 1)), 'unknown_namespace');
      equal(await codeOf(client.publish('short.a', 1)), 'forbidden');
      equal(await codeOf(client.publish(topic, 1, { key: 'a' })), 'key_not_allowed');
      equal(await codeOf(client.publish(context.topicName('keyed'), 1)), 'key_required');
      equal(await codeOf(client.publish('no topic', 1)), 'invalid');
      equal(await codeOf(client.publish(topic, 'x'.repeat(70_000))), 'message_too_big');
      await client.publish(topic, { n: 1 });
      equal(client.stats().disconnects, 0, 'disconnects');
      const anonymous = await context.connected();
      equal(await codeOf(anonymous.publish(topic, 1)), 'unauthorized');
    },
  },
  {
    name: 'refuses a value that cannot be sent, by that call alone: nothing else is touched',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token') });
      const recorder = await context.listen(client, topic);
      await context.remote.run('serve', 'echo.back', true);
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      let deep: unknown = 1;
      for (let i = 0; i < 61; i++) deep = [deep];
      const bad = [
        { at: new Date('') },
        new Map([[101.5, 3]]),
        deep,
        2n ** 64n,
        Symbol('s'),
        () => 1,
        cycle,
        JSON.parse('{"__proto__":1}'),
      ];
      let n = 0;
      for (const value of bad) {
        // The good one before is on its way when the bad one is refused.
        const before = client.publish(topic, { n: ++n });
        const refused = [codeOf(client.publish(topic, value)), codeOf(client.call('echo.back', value)), volatileCode(client, topic, value)];
        equal(await Promise.all(refused), ['bad_value', 'bad_value', 'bad_value']);
        await before;
      }
      equal(await codeOf(client.publish(topic, { text: 'x'.repeat(70_000) })), 'message_too_big');
      equal(await client.call('echo.back', { fine: true }), { fine: true });
      await recorder.reaches(bad.length);
      equal([recorder.numbers, recorder.errors.length, client.stats().disconnects], [upTo(bad.length), 0, 0]);
    },
  },
  {
    name: 'publishes of any view the bytes that it covers, and 64-bit integers whole',
    async run(context) {
      const topic = context.topicName('packed');
      const client = await context.connected({ token: () => context.remote.run('token') });
      const recorder = await context.listen<unknown>(client, topic);
      const { buffer } = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
      const values = [
        { p: new Float64Array(100).fill(1.25) },
        new Int16Array([300]),
        new DataView(buffer, 1, 3),
        new BigInt64Array(buffer),
        new Uint16Array(buffer, 2, 2),
        new Float32Array(0),
        buffer,
      ];
      for (const value of values) await client.publish(topic, value);
      await client.publish(topic, [2n ** 63n, -(2n ** 63n), 5n]);
      await recorder.count(values.length + 1);
      const got = recorder.items.map(({ data }) => data);
      const samples = (got[0] as { p: Uint8Array }).p;
      equal(
        [samples.length, [...new Set(Array.from({ length: 100 }, (_, i) => hexOf(samples.subarray(i * 8, i * 8 + 8))))]],
        [800, ['000000000000f43f']],
      );
      equal(got.slice(1, -1).map(hexOf), ['2c01', '010203', '0001020304050607', '02030405', '', '0001020304050607']);
      equal(String(got.at(-1)), '9223372036854775808,-9223372036854775808,5');
    },
  },
  {
    name: 'sends volatile publications at once or not at all',
    async run(context) {
      const topic = context.topicName('passing');
      const client = context.client({ token: () => context.remote.run('token') });
      equal(client.publishVolatile(topic, { n: 1 }), false, 'sent without a connection');
      await client.connect();
      const recorder = await context.listen(client, topic);
      equal(client.publishVolatile(topic, { n: 2 }), true, 'sent');
      equal(client.publishVolatile(topic, 'x'.repeat(70_000)), false, 'sent what is too big');
      await recorder.reaches(2);
      const { volatileSent, volatileDropped } = client.stats();
      equal([recorder.numbers, volatileSent, volatileDropped], [[2], 1, 2]);
    },
  },
  {
    name: 'keeps below the server’s message rate without being told',
    async run(context) {
      const topic = context.topicName();
      const client = await context.connected({ token: () => context.remote.run('token'), publish: { queueMax: 5000, inFlightMax: 60 } });
      const errors: unknown[] = [];
      client.on('error', (error) => errors.push(error));
      // 2,000 a second are allowed: a burst of them, and then these at that rate.
      await Promise.all(upTo(3000).map((n) => client.publish(topic, { n })));
      equal([errors, client.stats().disconnects], [[], 0]);
      equal((await context.remote.run('log', topic)).length, 3000, 'stored');
    },
  },
];

const hexOf = (bytes: unknown) => [...(bytes as Uint8Array)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

async function volatileCode(client: Client, topic: string, value: unknown): Promise<string> {
  return codeOf((async () => client.publishVolatile(topic, value))());
}
