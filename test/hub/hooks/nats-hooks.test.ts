import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { BusError } from '../../../src/bus/bus-error.ts';
import type { CallAnswer, CallQuestion } from '../../../src/bus/requests.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { SubscribeQuestion } from '../../../src/hooks/types.ts';
import { NatsHooks, type NatsHooksOptions } from '../../../src/hub/hooks/nats-hooks.ts';
import type { Draft } from '../../../src/hub/publisher.ts';
import type { ToHub } from '../../../src/link/messages.ts';
import { ProtocolError } from '../../../src/protocol/errors.ts';
import { packMsgpack, unpackMsgpack } from '../../../src/protocol/msgpack-codec.ts';
import type { Topic } from '../../../src/protocol/topic.ts';

const packr = new Packr({ useRecords: false });
const json = (value: unknown): CallAnswer => ({ kind: 'result', payload: Buffer.from(JSON.stringify(value)), payloadKind: undefined });
const SUBSCRIBE: SubscribeQuestion = {
  hook: 'subscribe',
  user: null,
  connectionId: 'c1',
  nodeId: 'n1',
  topic: 'room.a',
  action: 'subscribe',
  again: false,
  options: { maxRateHz: 5 },
};
const publishOf = (n: number, more: Partial<Extract<ToHub, { kind: 'publish' }>> = {}): Extract<ToHub, { kind: 'publish' }> => ({
  kind: 'publish',
  requestId: n,
  topic: 'room.a' as Topic,
  key: null,
  data: packMsgpack({ n }),
  idempotencyKey: undefined,
  user: 'ann',
  connectionId: 'c1',
  ...more,
});

function setUp(call: (question: CallQuestion) => Promise<CallAnswer>, settings: Record<string, unknown> = {}) {
  const { config } = loadConfig({
    env: {},
    flags: {
      'nats.url': 'nats://localhost:4222',
      namespaces: {
        room: { clientPublish: true, hooks: { subscribe: 'nats:auth.subscribe', publish: 'nats:auth.publish', timeoutMs: 700 } },
        open: { clientPublish: true },
      },
      ...settings,
    },
  });
  const asked: CallQuestion[] = [];
  const failures: string[] = [];
  const publisher: NatsHooksOptions['publisher'] = {
    assertFits({ data }) {
      if (data.length > 100) throw new ProtocolError('message_too_big', 'too big');
    },
  };
  const hooks = NatsHooks.create({
    config,
    bus: {
      call: (question) => {
        asked.push(question);
        return call(question);
      },
    },
    nodeId: 'n1',
    publisher,
    metrics: () => ({ of: () => ({ onResult: () => undefined, onFailed: (_, reason) => failures.push(reason) }) }),
  });
  return { hooks: hooks as NatsHooks, asked, failures };
}

describe('hooks on NATS, at the bus', () => {
  it('are not there where no setting names a subject', () => {
    expect(setUp(async () => json({}), { namespaces: { open: {} } }).hooks).toBeUndefined();
  });

  it('are requests on the subject of the setting, with the caller, the time and the format of calls', async () => {
    const { hooks, asked } = setUp(async () => json({ allow: true }));
    expect(await hooks.ask(SUBSCRIBE)).toEqual({ kind: 'allowed' });
    expect(asked[0]).toMatchObject({
      subject: 'auth.subscribe',
      timeoutMs: 700,
      payloadKind: 'json',
      caller: { user: '', connectionId: 'c1', nodeId: 'n1' },
    });
    expect(JSON.parse(Buffer.from(asked[0]!.payload).toString())).toEqual(SUBSCRIBE);
    // No hook is configured for this namespace, nor for connections.
    expect(await hooks.ask({ ...SUBSCRIBE, topic: 'open.a' })).toEqual({ kind: 'allowed' });
    expect(await hooks.ask({ hook: 'connect', user: null, connectionId: 'c1', nodeId: 'n1', again: false })).toEqual({ kind: 'allowed' });
    expect(asked).toHaveLength(1);
  });

  it('speak MessagePack where calls do, and understand the format that an answer names', async () => {
    const { hooks, asked } = setUp(async () => ({ ...json({ allow: false, code: 'no' }), payloadKind: 'json' }) as CallAnswer, {
      'calls.payload': 'msgpack',
    });
    expect(await hooks.ask(SUBSCRIBE)).toMatchObject({ kind: 'denied', code: 'no' });
    expect(packr.unpack(asked[0]!.payload)).toEqual(SUBSCRIBE);
  });

  it.each<[string, () => Promise<CallAnswer>, RegExp]>([
    ['the bus fails', () => Promise.reject(new BusError('no_responders', 'no service answers auth.subscribe')), /no service answers/],
    ['the service fails', async () => ({ kind: 'serviceError', code: '500', text: 'away' }), /the service failed: 500 away/],
    ['the answer is malformed', async () => ({ kind: 'result', payload: Buffer.from('{'), payloadKind: undefined }), /malformed/],
    ['the answer is empty', async () => ({ kind: 'result', payload: new Uint8Array(), payloadKind: undefined }), /the answer is invalid/],
  ])('have failed when %s', async (_, call, reason) => {
    const { hooks, failures } = setUp(call);
    expect(await hooks.ask(SUBSCRIBE)).toEqual({ kind: 'failed' });
    expect(failures).toEqual([expect.stringMatching(reason)]);
  });

  it('decide about a publish: it is published as it is, as they change it, or not at all', async () => {
    const answers = [
      json({ allow: true }),
      json({ allow: true, data: { n: 'changed' } }),
      json({ allow: false, code: 'moderated', message: 'no' }),
    ];
    const { hooks, asked } = setUp(async () => answers.shift() as CallAnswer);
    const published: Draft[] = [];
    const publish = async (draft: Draft) => published.push(draft);
    const asIs = publishOf(1, { idempotencyKey: 'k', info: { name: 'Ann' } });
    await hooks.publish(asIs, publish);
    await hooks.publish(publishOf(2), publish);
    await expect(hooks.publish(publishOf(3), publish)).rejects.toMatchObject({ name: 'HookDenied', code: 'moderated', message: 'no' });
    expect(published[0]).toBe(asIs);
    expect(published.slice(1).map(({ data }) => unpackMsgpack(data))).toEqual([{ n: 'changed' }]);
    expect(JSON.parse(Buffer.from(asked[0]!.payload).toString())).toMatchObject({
      data: { n: 1 },
      idempotencyKey: 'k',
      info: { name: 'Ann' },
    });
    await hooks.publish(publishOf(4, { topic: 'open.a' as Topic }), publish);
    expect(asked).toHaveLength(3);
  });

  it('are not asked about what does not fit, and have failed where their change does not', async () => {
    const { hooks, asked } = setUp(async () => json({ allow: true, data: 'x'.repeat(200) }));
    const publish = async () => undefined;
    const large = publishOf(1, { data: packMsgpack('x'.repeat(200)) });
    await expect(hooks.publish(large, publish)).rejects.toMatchObject({ code: 'message_too_big' });
    expect(asked).toEqual([]);
    await expect(hooks.publish(publishOf(1), publish)).rejects.toMatchObject({ code: 'hook_failed' });
  });

  it('keep 64-bit integers of what is published, both ways', async () => {
    const { hooks, asked } = setUp(
      async () => ({ ...json(0), payload: Buffer.from('{"allow":true,"data":9007199254740995}') }) as CallAnswer,
    );
    const published: unknown[] = [];
    const data = packMsgpack(9007199254740993n);
    await hooks.publish(publishOf(1, { data }), async (draft) => published.push(unpackMsgpack(draft.data)));
    expect(Buffer.from(asked[0]!.payload).toString()).toContain('"data":9007199254740993');
    expect(published).toEqual([9007199254740995n]);
  });
});
