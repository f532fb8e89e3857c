import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { defineEvents, type PayloadOf, payload } from '../../src/client/events.ts';
import { createClient } from '../../src/client/index.ts';
import type { Item } from '../../src/client/item.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';

const checks = {
  'message:send': Compile(Type.Object({ text: Type.String({ maxLength: 10 }) })),
  'typing:start': payload<{ readonly since: number }>(),
};
const events = defineEvents(checks);

describe('defineEvents', () => {
  it('has the names as constants, and knows the payloads', () => {
    expect(events.names).toEqual({ 'message:send': 'message:send', 'typing:start': 'typing:start' });
    expectTypeOf(events.names['typing:start']).toEqualTypeOf<'typing:start'>();
    expectTypeOf<PayloadOf<(typeof checks)['message:send']>>().toEqualTypeOf<{ text: string }>();
    expectTypeOf<PayloadOf<(typeof checks)['typing:start']>>().toEqualTypeOf<{ readonly since: number }>();
  });

  it.each([
    ['nothing', undefined, 'expected checks by name'],
    ['null', null, 'expected checks by name'],
    ['a text', 'message:send', 'expected checks by name'],
    ['names alone', ['message:send'], 'expected checks by name'],
    ['a schema that is not compiled', { a: payload(), 'message:send': Type.String() }, 'message:send: expected a compiled schema'],
    ['an event without a check', { 'message:send': undefined }, 'message:send: expected a compiled schema'],
    ['a function as a check', { 'message:send': () => true }, 'message:send: expected a compiled schema'],
  ])('refuses %s', (_, wrong, problem) => {
    const refused = expect.objectContaining({ code: 'invalid', message: expect.stringContaining(problem) });
    expect(() => defineEvents(wrong as never)).toThrow(refused);
  });

  it('makes messages of what the schemas allow', () => {
    expect(events.message('message:send', { text: 'hello' })).toEqual({ event: 'message:send', data: { text: 'hello' } });
    expect(events.message('typing:start', { since: 1 })).toEqual({ event: 'typing:start', data: { since: 1 } });
  });

  it('refuses another payload and another name, also where the compiler does not look', () => {
    const refused = expect.objectContaining({ code: 'bad_value' });
    expect(() => events.message('message:send', { text: 'much too long' })).toThrow(refused);
    // @ts-expect-error a number is no text
    expect(() => events.message('message:send', { text: 1 })).toThrow(refused);
    // @ts-expect-error misspelt
    expect(() => events.message('message:sent', { text: 'a' })).toThrow(refused);
    expect(() => events.message('toString' as 'typing:start', { since: 1 })).toThrow(refused);
    // @ts-expect-error a payload that only the compiler checks
    expect(events.message('typing:start', 'anything')).toBeDefined();
  });
});

describe('handle', () => {
  it('is for items that came otherwise than by a subscription', () => {
    const handler = vi.fn();
    const item = (data: unknown, removed = false) => ({ data, removed }) as Item;
    const valid = item({ event: 'message:send', data: { text: 'a' } });
    events.handle(valid, { 'message:send': handler });
    for (const data of [null, 1, { event: 'message:send', data: { text: 1 } }, { event: 'toString' }])
      events.handle(item(data), { 'message:send': handler });
    events.handle(item({ event: 'message:send', data: { text: 'a' } }, true), { 'message:send': handler });
    expect(handler.mock.calls).toEqual([[{ text: 'a' }, valid]]);
  });
});

describe('events on a topic', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await TestNode.start({ namespaces: { room: { clientPublish: true } } });
  });
  afterAll(() => node.stop());

  it('reach their handlers, and what is not an event, or has another payload, does not', async () => {
    const client = createClient({ url: node.url, token: () => tokenOf({ sub: 'ann' }) });
    const topic = client.topic('room.a', { snapshot: true });
    const got: unknown[] = [];
    const onInvalid = vi.fn();
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const stop = events.subscribe(
      topic,
      {
        'message:send': ({ text }, { origin }) => {
          got.push([text, origin]);
          if (text === 'end') finish();
        },
      },
      { onInvalid },
    );
    await events.publish(topic, 'message:send', { text: 'first' });
    await events.publish(topic, 'typing:start', { since: 1 });
    for (const data of [{ event: 'message:send', data: { text: 1 } }, 'text', null, { event: 7 }, { event: 'later:event', data: 1 }])
      await client.publish('room.a', data);
    await events.publish(topic, 'message:send', { text: 'end' });
    await finished;
    expect(got).toEqual([
      ['first', 'ann'],
      ['end', 'ann'],
    ]);
    expect(onInvalid.mock.calls.map(([problem]) => problem)).toEqual([
      'the payload of message:send is not what its schema says',
      ...Array(3).fill('not an event: { event, data }'),
    ]);
    expect(stop()).toBeUndefined();
    expect(topic.isActive).toBe(false);
    await client.close();
  });

  it('that are refused are not sent', async () => {
    const publish = vi.fn();
    await expect(events.publish({ publish }, 'message:send', { text: 'much too long' })).rejects.toMatchObject({ code: 'bad_value' });
    expect(publish).not.toHaveBeenCalled();
  });
});
