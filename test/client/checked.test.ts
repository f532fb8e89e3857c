import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeMessage, type Outgoing } from '../../src/client/codec.ts';
import { Client, CommandError, createClient, StentorError } from '../../src/client/index.ts';
import { decodeKey, encodeKey } from '../../src/client/keys.ts';
import { readOptions } from '../../src/client/options.ts';
import { CLIENT_MESSAGES } from '../../src/protocol/messages.ts';
import { msgpackCodec, packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { parseClientMessage } from '../../src/protocol/parse.ts';
import { isKey } from '../../src/protocol/topic.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';

const invalid = expect.objectContaining({ name: 'InvalidError', code: 'invalid' });

/** Values that a field may be given by mistake, and such as are at its bounds. */
const VALUES: readonly unknown[] = [
  ...[
    undefined,
    null,
    true,
    false,
    '',
    'a',
    '5',
    'x'.repeat(128),
    'x'.repeat(129),
    'é'.repeat(64),
    'é'.repeat(65),
    '😀'.repeat(64),
    'a\nb',
  ],
  ...[0, -1, 1, 1.5, 20, 1000, 1001, 10_000, 10_001, 60_000, 60_001, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY],
  ...[{}, [], { epoch: 'e', offset: 1 }, { epoch: 'e', offset: 0 }, { epoch: '', offset: 1 }, { epoch: 'e'.repeat(64), offset: 1 }],
  ...[
    { epoch: 'e'.repeat(65), offset: 1 },
    { epoch: 1, offset: 1 },
    { epoch: 'e', offset: -1 },
    { epoch: 'e', offset: 1.5 },
  ],
  ...[{ epoch: 'e', offset: '1' }, { epoch: 'e' }, { epoch: 'e', offset: 2 ** 53 }],
];

/** What the application does not choose, or what `assertTopic` and the check of values look after. */
const NOT_CHOSEN = ['type', 'id', 'topic', 'method', 'data'];
const COMMANDS = (['subscribe', 'publish', 'call', 'history'] as const).map((type) => ({
  base: type === 'call' ? { type, id: 1, method: 'a' } : { type, id: 1, topic: 'a', ...(type === 'publish' && { data: 1 }) },
  fields: Object.keys(CLIENT_MESSAGES[type].properties).filter((field) => !NOT_CHOSEN.includes(field)),
}));

const command = fc
  .constantFrom(...COMMANDS)
  .chain(({ base, fields }) =>
    fc
      .record(Object.fromEntries(fields.map((field) => [field, fc.option(fc.constantFrom(...VALUES), { nil: undefined })])))
      .map((chosen) => ({ ...base, ...chosen })),
  );

/** Does a server take it? The key has bytes to be counted besides its schema. */
function isTaken(message: object): boolean {
  const fields = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));
  if ('key' in fields && !isKey(fields.key)) return false;
  try {
    parseClientMessage(msgpackCodec, packMsgpack(fields));
    return true;
  } catch {
    return false;
  }
}

describe('a command', () => {
  it('is refused before it is sent, exactly where the server would call it malformed', () => {
    fc.assert(
      fc.property(command, (message) => {
        if (isTaken(message)) encodeMessage(message as Outgoing);
        else expect(() => encodeMessage(message as Outgoing)).toThrow(invalid);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a mistake of the application', () => {
  let node: TestNode;
  let client: Client;
  beforeAll(async () => {
    node = await TestNode.start({
      namespaces: { open: { public: true, clientPublish: true }, keyed: { state: 'keyed', clientPublish: true } },
    });
    client = createClient({ url: node.url, token: await tokenOf() });
    await client.connect();
  });
  afterAll(async () => {
    await client?.close();
    await node?.stop();
  });

  it('repeated many times, for example a number as a key, ends neither the connection nor the subscriptions', async () => {
    const topic = client.topic('open.a', { snapshot: true });
    const heard = new Promise((resolve) => topic.subscribe(({ data }) => resolve(data)));
    for (let n = 0; n < 100; n++) {
      await expect(client.publish('keyed.a', n, { key: n as unknown as string })).rejects.toEqual(invalid);
      await expect(client.history('open.a', { last: 0 })).rejects.toEqual(invalid);
      await expect(client.call('sum', n, { timeoutMs: 0.5 })).rejects.toEqual(invalid);
    }
    await client.publish('open.a', 'still here');
    expect(await heard).toBe('still here');
    expect(client.state.status).toBe('connected');
  });

  const wrong = (value: unknown) => value as never;
  const CALLS: Readonly<Record<string, () => unknown>> = {
    'no topic': () => client.topic(wrong(undefined)),
    'a number for a topic': () => client.topic(wrong(5)),
    'a text for a list of topics': () => client.topics('open.a'),
    'no list of topics': () => client.topics(wrong(undefined)),
    'an object for a list of topics': () => client.topics(wrong({ 0: 'open.a' })),
    'a list with no topic in it': () => client.topics([wrong(null)]),
    'a rate that is a text': () => client.topic('open.x', { maxRateHz: wrong('5') }),
    'a rate of 0': () => client.topic('open.x', { maxRateHz: 0 }),
    'a position that is none': () => client.topic('open.x', { since: wrong({}) }),
    'a callback that is none': () => client.topic('open.x', { onResync: wrong(5) }),
    'nothing to call back': () => client.topic('open.x').subscribe(wrong(undefined)),
    'nothing to call back, of many topics': () => client.topics(['open.x', 'open.y']).subscribe(wrong(5)),
    'a listener that is none': () => client.on('state', wrong(undefined)),
    'no such policy of a loop': () => client.topic('open.x').items({ onFull: wrong('wait') }),
    'a buffer that is no number': () => client.topic('open.x').events({ bufferMax: wrong('many') }),
    'a volatile publish to nowhere': () => client.publishVolatile(wrong(undefined), 1),
    'a volatile publish about a number': () => client.publishVolatile('keyed.a', 1, { key: wrong(5) }),
    'a key that is no text': () => encodeKey(wrong(5)),
    'an empty key': () => encodeKey(''),
    'no key': () => encodeKey(wrong(undefined)),
    'no key’s token': () => decodeKey('=zz'),
    'a number for a key’s token': () => decodeKey(wrong(5)),
  };
  it.each(Object.entries(CALLS))('is an InvalidError at once: %s', (_what, call) => {
    expect(call).toThrow(invalid);
    expect(client.topic('open.x').isActive).toBe(false);
  });

  const PROMISES: Readonly<Record<string, () => Promise<unknown>>> = {
    'a publish to nowhere': () => client.publish(wrong(undefined), 1),
    'an empty idempotency key': () => client.publish('open.a', 1, { idempotencyKey: '' }),
    'a call of nothing': () => client.call(wrong(undefined)),
    'a call that waits for ever': () => client.call('sum', 1, { timeoutMs: Number.POSITIVE_INFINITY }),
    'a signal that is none': () => client.call('sum', 1, { signal: wrong(5) }),
    'more history than there may be': () => client.history('open.a', { last: 1_000_000 }),
  };
  it.each(Object.entries(PROMISES))('is a promise’s InvalidError: %s', async (_what, call) => {
    await expect(call()).rejects.toBeInstanceOf(StentorError);
    await expect(call()).rejects.toEqual(invalid);
  });
});

describe('a pause that a server asks for', () => {
  it.each(['soon', null, Number.NaN, Number.POSITIVE_INFINITY])(
    'counts as none where it is %s: no timer can be set by it',
    (retryAfterMs) => {
      const error = new CommandError({ code: 'busy', message: 'later', retryable: true, retryAfterMs: retryAfterMs as number });
      expect(error.retryAfterMs).toBeUndefined();
    },
  );
});

describe('options', () => {
  const url = 'ws://127.0.0.1:9/ws';

  it('that are undefined or null are the defaults, within backoff and publish too', () => {
    const nothing = { baseMs: undefined, maxMs: null, jitterMs: undefined };
    const given = {
      url,
      connectTimeoutMs: undefined,
      WebSocket: undefined,
      backoff: nothing,
      publish: { queueMax: undefined, onFull: null },
    };
    expect(readOptions(given as never)).toEqual(readOptions({ url }));
    expect(readOptions({ url, backoff: null, publish: null, requestsMax: null, unpacker: null } as never)).toEqual(readOptions({ url }));
  });

  it('that are set are taken, and leave the others as they are', () => {
    const { backoff, publish, requestsMax } = readOptions({
      url,
      requestsMax: 5,
      backoff: { baseMs: 1 },
      publish: { onFull: 'dropOldest' },
    });
    expect({ backoff, publish, requestsMax }).toMatchObject({
      backoff: { baseMs: 1, maxMs: 30_000 },
      publish: { onFull: 'dropOldest', queueMax: 1000 },
      requestsMax: 5,
    });
  });

  it.each<[string, unknown]>([
    ['none', undefined],
    ['null', null],
    ['a text', url],
    ['no URL', {}],
    ['no URLs', { url: [] }],
    ['a URL of another kind', { url: 'http://127.0.0.1/ws' }],
    ['a port that is none', { url: 'ws://localhost:99999/ws' }],
    ['a host that is none', { url: 'ws://a b/' }],
    ['a URL with a fragment', { url: 'ws://localhost/ws#a' }],
    ['one bad URL among good ones', { url: [url, 'ws://:0:0'] }],
    ['a pause that is a text', { url, backoff: { baseMs: '500' } }],
    ['a pause that is no number', { url, backoff: { jitterMs: Number.NaN } }],
    ['a backoff that is a number', { url, backoff: 500 }],
    ['a queue without a bound', { url, publish: { queueMax: Number.POSITIVE_INFINITY } }],
    ['a policy that there is not', { url, publish: { onFull: 'wait' } }],
    ['a time-out that is a text', { url, requestTimeoutMs: '5' }],
    ['a time-out below 0', { url, connectTimeoutMs: -1 }],
    ['what unpacks that is no function', { url, unpacker: true }],
    ['a WebSocket that is none', { url, WebSocket: {} }],
    ['a token that is no text', { url, token: { access_token: 'a' } }],
  ])('that cannot be are refused before anything is tried: %s', (_what, options) => {
    expect(() => new Client(options as never)).toThrow(invalid);
  });
});
