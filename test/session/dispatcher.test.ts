import { afterEach, describe, expect, it } from 'vitest';
import { type FakeClient, TestWorker } from '../support/test-worker.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let worker: TestWorker;
afterEach(() => worker.stop());

const start = async (settings: Readonly<Record<string, unknown>> = {}) => {
  worker = await TestWorker.create({ namespaces: { open: { public: true } }, ...settings });
};

const ping = { type: 'ping' };
const unsubscribe = (id: number) => ({ type: 'unsubscribe', id, topic: 'open.a' });
const idsOf = (client: FakeClient) => client.sent.map((message) => ('id' in message ? message.id : undefined));

describe('a message', () => {
  it('above the size limit closes the connection', async () => {
    await start({ 'limits.messageBytesMax': 256 });
    const client = worker.client();
    const ofBytes = (bytes: number) => Buffer.from(JSON.stringify(ping).padEnd(bytes));
    client.sayRaw(ofBytes(256));
    await until('the answer', () => client.ofType('pong').length === 1);
    client.sayRaw(ofBytes(257));
    await until('the close', () => !client.socket.isOpen);
    expect(client.socket.endedWith).toBe(4005);
  });

  it('that cannot be parsed is refused, with its id if it has one', async () => {
    await start();
    const client = worker.client();
    client.sayRaw(Buffer.from('{"type":"nonsense","id":3}'));
    client.sayRaw(Buffer.from('{'));
    client.say({ type: 'subscribe', id: 4 });
    await client.answerTo(4);
    expect(client.ofType('error').map(({ code, id }) => [code, id])).toEqual([
      ['unknown_type', 3],
      ['bad_message', undefined],
      ['bad_message', 4],
    ]);
    expect(client.socket.isOpen).toBe(true);
  });

  it('in text closes a MessagePack connection', async () => {
    await start();
    const client = worker.client({ encoding: 'msgpack' });
    client.sayRaw(Buffer.from('{"type":"ping"}'), false);
    expect(client.socket.endedWith).toBe(4000);
  });

  it('above the burst limit is refused with the time to wait', async () => {
    await start({ 'limits.messagesPerSecondMax': 2 });
    const client = worker.client();
    for (let n = 0; n < 5; n++) client.say(ping);
    await until('the answers', () => client.sent.length === 5);
    expect(client.ofType('pong')).toHaveLength(4);
    expect(client.ofType('error')).toMatchObject([{ code: 'rate_limited', retryAfterMs: expect.any(Number) }]);
  });

  it('before a required token closes the connection', async () => {
    await start({ namespaces: { closed: {} } });
    const client = worker.client();
    expect(await client.ask({ type: 'subscribe', id: 1, topic: 'closed.a' })).toMatchObject({ code: 'unauthorized' });
    expect(client.socket.endedWith).toBe(4001);
  });

  it('that exceeds the limit of errors per minute closes the connection', async () => {
    await start({ 'tuning.commands.errorsPerMinuteMax': 3 });
    const client = worker.client();
    for (let id = 1; id <= 3; id++) await client.ask({ type: 'subscribe', id, topic: '..' });
    expect(client.socket.isOpen).toBe(true);
    client.say({ type: 'subscribe', id: 4, topic: '..' });
    await until('the close', () => !client.socket.isOpen);
    expect(client.socket.endedWith).toBe(4009);
  });

  it('is refused above the limit of waiting commands', async () => {
    await start({ 'tuning.commands.commandsPerConnectionMax': 2 });
    const client = worker.client();
    for (const id of [1, 2]) client.say({ type: 'history', id, topic: 'open.a' });
    expect(await client.ask(unsubscribe(3))).toMatchObject({ code: 'busy' });
    client.say(ping);
    await until('the answer', () => client.ofType('pong').length === 1);
  });
});

describe('an array of commands', () => {
  it('is answered in order, in one message', async () => {
    await start();
    const client = worker.client();
    client.say([ping, unsubscribe(1), { type: 'nonsense', id: 2 }, unsubscribe(3)]);
    await client.answerTo(3);
    expect(client.sent.map((message) => (message.type === 'error' ? message.code : message.type))).toEqual([
      'pong',
      'not_subscribed',
      'unknown_type',
      'not_subscribed',
    ]);
    expect(client.socket.writes).toEqual([1]);
    expect(client.connection.commandsInFlight).toBe(0);
    expect(worker.connections.bytes).toEqual({ inFlight: 0, unread: 0 });
  });

  it('is answered at once where nothing has to be waited for, and what has to comes later', async () => {
    await start();
    const first = worker.client();
    first.say({ type: 'subscribe', id: 1, topic: 'open.a' });
    await worker.open('open.a');
    await first.answerTo(1);
    const client = worker.client();
    client.say([
      { type: 'subscribe', id: 1, topic: 'open.b' },
      { type: 'subscribe', id: 2, topic: 'open.a' },
      unsubscribe(3),
      unsubscribe(4),
    ]);
    // Before any promise has been settled.
    expect([client.connection.commandsInFlight, client.connection.receiver.subscriptions.size]).toEqual([1, 1]);
    await worker.open('open.b');
    await client.answerTo(1);
    expect(idsOf(client)).toEqual([2, 3, 4, 1]);
    expect(client.errors).toEqual(['not_subscribed']);
    expect(client.connection.commandsInFlight).toBe(0);
  });

  it('must have 1 to `commandsPerMessageMax` commands', async () => {
    await start({ 'tuning.commands.commandsPerMessageMax': 2 });
    const client = worker.client();
    client.say([ping, ping]);
    await until('both', () => client.ofType('pong').length === 2);
    for (const commands of [[ping, ping, ping], []]) client.say(commands);
    await until('the errors', () => client.errors.length === 2);
    expect(client.errors).toEqual(['bad_message', 'bad_message']);
  });

  it('waits as a whole for a connect with a token, and keeps its order', async () => {
    await start();
    const client = worker.client();
    client.say([{ type: 'connect', id: 1, token: await tokenOf() }, unsubscribe(2), unsubscribe(3)]);
    client.say(unsubscribe(4));
    await client.answerTo(4);
    expect(idsOf(client)).toEqual([1, 2, 3, 4]);
    expect(client.connection.commandsInFlight).toBe(0);
    expect(worker.connections.bytes).toEqual({ inFlight: 0, unread: 0 });
  });

  it('is refused command by command above the rate, and closes the connection at twice the rate', async () => {
    await start({ 'tuning.commands.commandsPerSecondMax': 5, 'tuning.commands.errorsPerMinuteMax': 1000 });
    const client = worker.client();
    client.say(Array.from({ length: 11 }, () => ping));
    await until('the answers', () => client.sent.length === 11);
    expect([client.ofType('pong').length, client.errors]).toEqual([10, ['rate_limited']]);
    client.say(Array.from({ length: 20 }, () => ping));
    await until('the close', () => !client.socket.isOpen);
    expect(client.socket.endedWith).toBe(4009);
  });
});

describe('a connection', () => {
  it('is counted while it is open', async () => {
    await start();
    const client = worker.client();
    expect([worker.connections.size, worker.connections.find(client.connection.id)]).toEqual([1, client.connection]);
    client.socket.close(1000);
    expect([...worker.connections]).toEqual([]);
  });

  it('releases its topics when it closes', async () => {
    await start();
    const client = worker.client();
    client.say({ type: 'subscribe', id: 1, topic: 'open.a' });
    await worker.open('open.a');
    await client.answerTo(1);
    client.socket.close(1006);
    expect(await worker.asked('close')).toMatchObject({ topic: 'open.a' });
  });

  it('is closed when its token expires', async () => {
    await start();
    const client = worker.client();
    await client.ask({ type: 'connect', id: 1, token: await tokenOf({ expiresInMs: 60_000 }) });
    worker.connections.everySecond(Date.now() + 58_000);
    expect(client.socket.isOpen).toBe(true);
    worker.connections.everySecond(Date.now() + 62_000);
    expect(client.socket.endedWith).toBe(4201);
  });

  it('is closed if it sends nothing for connectTimeoutMs, and a token is required', async () => {
    await start({ namespaces: { closed: {} }, 'tuning.connections.connectTimeoutMs': 5000 });
    const [silent, known] = [worker.client(), worker.client()];
    await known.ask({ type: 'connect', id: 1, token: await tokenOf() });
    worker.connections.everySecond(Date.now() + 7000);
    expect([silent.socket.endedWith, known.socket.isOpen]).toEqual([4001, true]);
  });
});

it('refuses a new connection above connectsPerSecondMax', async () => {
  await start({ 'limits.connectsPerSecondMax': 3 });
  const taken = Array.from({ length: 4 }, () => worker.connections.takeConnect('')?.code);
  expect(taken).toEqual([undefined, undefined, undefined, 'unavailable']);
});
