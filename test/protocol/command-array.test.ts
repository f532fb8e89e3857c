import { describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import { CommandArray, MessageError, parseClientFrame } from '../../src/protocol/parse.ts';

describe('an array of commands', () => {
  it('is checked command by command, and each only when it is requested', () => {
    let looks = 0;
    const looked = () => ({
      get type() {
        looks++;
        return 'fly';
      },
    });
    const codec = { ...jsonCodec, decode: () => [looked(), looked(), looked()] };
    const commands = parseClientFrame(codec, new Uint8Array(), 3) as CommandArray;
    expect(commands).toBeInstanceOf(CommandArray);
    expect(commands.length).toBe(3);
    // One at each finds those that stand for several.
    expect(looks).toBe(3);
    expect(commands.at(1)).toBeInstanceOf(MessageError);
    expect(looks).toBe(4);
  });
});

describe.each([jsonCodec, msgpackCodec])('subscribeMany, in $encoding,', (codec) => {
  const parse = (message: unknown, commandsMax = 5) => {
    const commands = parseClientFrame(codec, codec.encode(message), commandsMax);
    if (!(commands instanceof CommandArray)) throw new Error('one message');
    return Array.from({ length: commands.length }, (_, index) => commands.at(index));
  };
  const refusal = (message: unknown, commandsMax?: number) => {
    try {
      return parse(message, commandsMax);
    } catch (error) {
      return error;
    }
  };

  it('stands for a subscribe of each topic, with its own id, position and key, and the options of all', () => {
    const many = {
      type: 'subscribeMany',
      epoch: 'e1',
      snapshot: true,
      filter: { side: 'buy' },
      topics: [
        [7, 'a.a'],
        [9, 'a.b', 17],
        [8, 'a.c', null, 'EUR/USD'],
        [4, 'a.c', 18, 'AAPL'],
        [5, 'a.d', null, null],
      ],
    };
    const options = { snapshot: true, filter: { side: 'buy' }, type: 'subscribe' };
    expect(parse(many)).toEqual([
      { ...options, id: 7, topic: 'a.a' },
      { ...options, id: 9, topic: 'a.b', since: { epoch: 'e1', offset: 17 } },
      { ...options, id: 8, topic: 'a.c', key: 'EUR/USD' },
      { ...options, id: 4, topic: 'a.c', since: { epoch: 'e1', offset: 18 }, key: 'AAPL' },
      { ...options, id: 5, topic: 'a.d' },
    ]);
  });

  it('has its place among other commands of an array', () => {
    const [connect, ...more] = parse([
      { type: 'connect', id: 0 },
      { type: 'subscribeMany', topics: [[1, 'a.a'], [2, 'a.b']] }, // biome-ignore format: pairs
      { type: 'ping' },
    ]);
    expect(connect).toMatchObject({ type: 'connect' });
    expect(more).toEqual([{ type: 'subscribe', id: 1, topic: 'a.a' }, { type: 'subscribe', id: 2, topic: 'a.b' }, { type: 'ping' }]);
  });

  it('counts with all its topics: more than the server accepts are refused whole', () => {
    const topics = (count: number) => Array.from({ length: count }, (_, id) => [id, 'a.a']);
    expect(parse({ type: 'subscribeMany', topics: topics(5) })).toHaveLength(5);
    for (const message of [
      { type: 'subscribeMany', topics: topics(6) },
      [{ type: 'subscribeMany', topics: topics(3) }, { type: 'subscribeMany', topics: topics(3) }], // biome-ignore format: two
      [{ type: 'ping' }, { type: 'subscribeMany', topics: topics(5) }],
      Array.from({ length: 5 }, () => ({ type: 'subscribeMany', topics: topics(1000) })),
    ])
      expect(refusal(message)).toMatchObject({ code: 'bad_message', messageId: undefined });
  });

  it('is refused where it is malformed: whole, alone or as one of an array; with an offset of no epoch, for that topic', () => {
    for (const topics of [
      undefined,
      [],
      {},
      [[]],
      [[1]],
      [[-1, 'a.a']],
      [[1, '']],
      [[1, 'a.a', -1]],
      [[1, 'a.a', 1, '', 1]],
      [['1', 'a.a']],
    ]) {
      const many = { type: 'subscribeMany', epoch: 'e1', ...(topics && { topics }) };
      expect(refusal(many)).toMatchObject({ code: 'bad_message', messageId: undefined });
      expect(parse([many, { type: 'ping' }])).toEqual([expect.any(MessageError), { type: 'ping' }]);
    }
    expect(
      parse({
        type: 'subscribeMany',
        topics: [
          [3, 'a.a', 1],
          [4, 'a.b'],
        ],
      }),
    ).toEqual([
      // biome-ignore format: pairs
      expect.objectContaining({ code: 'bad_message', messageId: 3 }),
      { type: 'subscribe', id: 4, topic: 'a.b' },
    ]);
  });

  it('passes on no fields that it does not name', () => {
    expect(parse({ type: 'subscribeMany', topics: [[1, 'a.a']], other: [[[]]], since: { epoch: 'x', offset: 1 } })).toEqual([
      { type: 'subscribe', id: 1, topic: 'a.a' },
    ]);
  });
});
