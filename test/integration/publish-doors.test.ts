import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProgramPublication } from '../../src/index.ts';
import { DATA_DEPTH_MAX } from '../../src/protocol/depth.ts';
import { post } from '../support/http.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const ADMIN = 'the-operators-token';
const NAMESPACES = {
  plain: { public: true, clientPublish: true, topicTokens: 2, maxPayloadBytes: 1000 },
  keyed: { public: true, clientPublish: true, state: 'keyed' },
  bytes: { public: true, clientPublish: true, payload: 'bytes' },
  quiet: { public: true },
  brief: { public: true, clientPublish: true, durable: false },
};

let nested: unknown = 1;
for (let level = 0; level <= DATA_DEPTH_MAX; level++) nested = [nested];

/** What no door lets through, and the code with which it says so. */
const REFUSED: readonly [string, string, ProgramPublication][] = [
  ['a topic that breaks the grammar', 'bad_topic', { topic: 'plain.*', data: 1 }],
  ['a topic of no namespace', 'unknown_namespace', { topic: 'nowhere.a', data: 1 }],
  ['a namespace with the name of what every object has', 'unknown_namespace', { topic: 'constructor.a', data: 1 }],
  ['a topic with too many tokens', 'bad_topic', { topic: 'plain.a.b', data: 1 }],
  ['no key in a keyed topic', 'key_required', { topic: 'keyed.a', data: 1 }],
  ['a key in a topic that is not keyed', 'key_not_allowed', { topic: 'plain.a', key: 'K', data: 1 }],
  ['a key that breaks the grammar', 'bad_key', { topic: 'keyed.a', key: 'a\nb', data: 1 }],
  ['a number where the namespace takes bytes', 'bad_payload', { topic: 'bytes.a', data: 1 }],
  ['data that is nested too deeply', 'bad_payload', { topic: 'plain.a', data: nested }],
  ['an idempotency key that is empty', 'bad_message', { topic: 'plain.a', data: 1, idempotencyKey: '' }],
  ['an idempotency key of 129 characters', 'bad_message', { topic: 'plain.a', data: 1, idempotencyKey: 'x'.repeat(129) }],
  ['a payload above the namespace’s bound', 'message_too_big', { topic: 'plain.a', data: 'x'.repeat(1000) }],
];

describe('the doors of a publish', () => {
  let node: TestNode;
  let client: TestClient;
  /** Each answers with the code of a refusal; undefined: it has published. */
  const doors: Readonly<Record<string, (publication: ProgramPublication) => Promise<string | undefined>>> = {
    'the WebSocket command': async (publication) => {
      const answer = await client.ask({ type: 'publish', ...publication } as Parameters<TestClient['ask']>[0]);
      return answer.type === 'error' ? answer.code : undefined;
    },
    'the HTTP API': async (publication) => {
      const headers = { Authorization: `Bearer ${ADMIN}` };
      const url = `http://127.0.0.1:${node.running.adminPort}/api/publish`;
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(publication) });
      return ((await response.json()) as { error?: { code: string } }).error?.code;
    },
    '`POST /publish` of a client': async (publication) => {
      const { body } = await post(node, publication, { token: await tokenOf() });
      return body.error?.code;
    },
    'an embedding program': async (publication) => {
      try {
        await node.running.publish(publication);
        return undefined;
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
  };

  beforeAll(async () => {
    node = await TestNode.start({ namespaces: NAMESPACES, 'admin.token': ADMIN });
    client = await node.connect({ encoding: 'json', token: await tokenOf() });
    await client.get('connected', { type: 'connect' });
  });
  afterAll(() => node.stop());

  for (const [door, publish] of Object.entries(doors)) {
    it.each(REFUSED)(`${door} refuses %s with %s`, async (_, code, publication) => {
      expect(await publish(publication)).toBe(code);
    });

    it(`${door} publishes what fits`, async () => {
      expect(await publish({ topic: 'plain.a', data: { from: door } })).toBeUndefined();
      expect(await publish({ topic: 'keyed.a', key: 'BTC/USDT', data: 1 })).toBeUndefined();
      const [last] = await node.bus.log('plain').readLast('plain.a' as never, 1);
      expect(JSON.parse(Buffer.from(last?.payload ?? []).toString())).toEqual({ from: door });
    });
  }

  it('are open to the operator and the program, not to clients, where clients may not publish', async () => {
    const publication = { topic: 'quiet.a', data: 1 };
    expect(await Promise.all(Object.values(doors).map((publish) => publish(publication)))).toEqual([
      'forbidden',
      undefined,
      'forbidden',
      undefined,
    ]);
  });
});

describe('an embedding program', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await TestNode.start({ namespaces: NAMESPACES });
  });
  afterAll(() => node.stop());

  it('gets the position in the log, and is told that a second publish with the same idempotency key is a duplicate', async () => {
    const publication = { topic: 'plain.twice', data: 1, idempotencyKey: 'once' };
    const first = await node.running.publish(publication);
    expect(first).toMatchObject({ epoch: expect.stringMatching(/./), duplicate: false });
    expect(await node.running.publish(publication)).toEqual({ ...first, duplicate: true });
    expect((await node.running.publish({ ...publication, topic: 'plain.other' })).duplicate).toBe(false);
    expect(await node.running.publish({ topic: 'brief.a', data: 1 })).toEqual({ epoch: '', offset: 0, duplicate: false });
  });

  it('publishes the bytes of a view in memory order, and is refused what cannot be encoded', async () => {
    await node.running.publish({ topic: 'bytes.a', data: new Uint16Array([0x0201]) });
    const [last] = await node.bus.log('bytes').readLast('bytes.a' as never, 1);
    expect([...(last?.payload ?? [])]).toEqual([1, 2]);
    await expect(node.running.publish({ topic: 'plain.a', data: () => 1 })).rejects.toMatchObject({ code: 'bad_payload' });
  });

  it('has its publications delivered without an origin', async () => {
    const client = await node.connect();
    await client.subscribe('plain.heard');
    await node.running.publish({ topic: 'plain.heard', data: { n: 2n ** 60n } });
    const { items } = await client.next('batch');
    expect(items[0]?.slice(1)).toEqual([null, { n: String(2n ** 60n) }]);
  });

  it('gets unavailable once the bus has stopped, with the bus’ error as the cause', async () => {
    const other = await TestNode.start({ namespaces: NAMESPACES });
    await other.stop();
    await expect(other.running.publish({ topic: 'plain.a', data: 1 })).rejects.toMatchObject({
      code: 'unavailable',
      cause: { code: 'bus_closed' },
    });
  });
});
