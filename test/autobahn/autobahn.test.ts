import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type Answer, CASES, type Case, closeFrame, message } from './cases.ts';
import { type Frame, FramePeer, frame } from './frame-peer.ts';
import { INVALID, VALID } from './utf8.ts';

const TEXT = 1;
const NAMESPACES = { plain: { public: true, durable: false, clientPublish: true } };
/** Of the message that follows a case. */
const LAST = 999;

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start({
    namespaces: NAMESPACES,
    // The cases come from one address, some with many frames.
    'tuning.commands.framesPerSecondMax': 100_000,
  });
});
afterAll(() => node.stop());

async function connected(lines?: readonly string[]): Promise<FramePeer> {
  const peer = await FramePeer.open(node.running.port, lines);
  await peer.send(frame(TEXT, '{"type":"connect","id":0}'));
  await until('connected', () => peer.frames.length > 0);
  peer.frames.shift();
  return peer;
}

/** What a frame from the node says, in the words of the cases. */
function answerOf({ opcode, payload }: Frame): Answer {
  if (opcode === 10) return `pong ${payload.toString('latin1')}`;
  if (opcode === 8) return payload.length === 0 ? 'closed' : `closed ${payload.readUInt16BE(0)}`;
  const { type, t, code } = JSON.parse(payload.toString()) as { type: string; t?: number; code?: string };
  return type === 'pong' ? `answer ${t}` : `${type} ${code}`;
}

async function play(peer: FramePeer, { send, chop }: Case): Promise<void> {
  const isWhole = chop === undefined && send.every((step) => typeof step !== 'string');
  if (isWhole) return peer.send(Buffer.concat(send as Buffer[]));
  for (const step of send) {
    if (typeof step === 'string') await until(step, () => peer.frames.map(answerOf).includes(step));
    else await peer.send(step, chop === 'frame' ? undefined : chop);
  }
}

describe('a case of Autobahn’s test suite', () => {
  it.each(CASES)('$id: $what', async (one) => {
    const peer = await connected();
    await play(peer, one);
    const expected = [...(one.answers ?? [])];
    if (one.end === 'open') {
      await peer.send(frame(TEXT, message(LAST)));
      await until('the answer to the last message', () => peer.frames.map(answerOf).includes(`answer ${LAST}`));
      await peer.send(closeFrame(1000));
      await peer.ended();
      expect(peer.frames.map(answerOf)).toEqual([...expected, `answer ${LAST}`, 'closed 1000']);
      return;
    }
    await peer.ended();
    const got = peer.frames.map(answerOf);
    if (one.end === 'cut') expect(expected.slice(0, got.length)).toEqual(got);
    else if (one.end === 'closed') expect(got.map((answer) => answer.replace(/^closed.*/, 'closed'))).toEqual([...expected, 'closed']);
    else expect(got).toEqual([...expected, one.end]);
  });

  it('leaves a node that serves others', async () => {
    const client = await node.connect();
    client.send({ type: 'connect', id: 0 });
    await client.settle();
    expect(await node.metric('stentor_connections')).toBe(1);
  });
});

/** A publish of this text, in frames of one byte. */
function published(text: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from('{"type":"publish","topic":"plain.a","data":"'), text, Buffer.from('"}')]);
  return Buffer.concat([...bytes].map((byte, i) => frame(i === 0 ? TEXT : 0, Buffer.from([byte]), { fin: i === bytes.length - 1 })));
}

describe('UTF-8 (Autobahn’s cases 6)', () => {
  it.each(Object.entries(VALID))('%s: texts arrive as they were sent, in frames that end within characters', async (_, texts) => {
    const client = await node.connect();
    client.send({ type: 'connect', id: 0 });
    await client.subscribe('plain.a');
    const peer = await FramePeer.open(node.running.port, [`Authorization: Bearer ${await tokenOf()}`]);
    for (const hex of texts) {
      const text = Buffer.from(hex, 'hex');
      await peer.send(published(text));
      await client.next('batch', ({ items }) => items.some((item) => item.length > 1 && item[2] === text.toString()));
    }
    peer.destroy();
    await client.close();
  });

  it.each(Object.entries(INVALID))('%s: such a text ends the connection, whole and in frames of one byte', async (_, texts) => {
    const whole = (text: Buffer) => frame(TEXT, Buffer.concat([Buffer.from('"'), text, Buffer.from('"')]));
    await Promise.all(
      texts
        .map((hex) => Buffer.from(hex, 'hex'))
        .flatMap((text) => [whole(text), published(text)])
        .map(async (bytes) => {
          const peer = await connected();
          await peer.send(bytes);
          await peer.ended();
          expect(peer.frames.map(answerOf), bytes.toString('hex')).toEqual([]);
        }),
    );
  });
});

it('compression (Autobahn’s cases 12 and 13) is not agreed to, so frames are as they were', async () => {
  const peer = await connected(['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits']);
  expect(peer.head).toMatch(/^HTTP\/1.1 101/);
  expect(peer.head).not.toMatch(/sec-websocket-extensions/i);
  await peer.send(frame(TEXT, message(1), { rsv: 4 }));
  await peer.ended();
});
