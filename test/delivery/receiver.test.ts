import { describe, expect, it } from 'vitest';
import { inArrays } from '../../src/delivery/answer-arrays.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import { StubReceiver } from '../support/stub-receiver.ts';

const answer = (text: string) => ({ type: 'unsubscribed', id: 1, topic: text }) as const;
const topicsOf = ({ sent }: StubReceiver) => sent.flat().map((message) => 'topic' in message && message.topic);

describe('a receiver', () => {
  it('queues answers while its socket is full, and sends them in order when it has room, before any other', () => {
    const stub = new StubReceiver();
    stub.socket.bufferedBytes = 5000;
    stub.receiver.send(answer('one'));
    // There is room again, but no drain event came yet: the queued frames go first.
    stub.socket.bufferedBytes = 0;
    stub.receiver.send(answer('two'));
    expect(stub.sent).toEqual([]);
    stub.receiver.sendQueued();
    stub.receiver.send(answer('three'));
    expect(topicsOf(stub)).toEqual(['one', 'two', 'three']);
  });

  it('counts what it queues again each time', () => {
    const stub = new StubReceiver();
    for (let round = 0; round < 5; round++) {
      stub.socket.bufferedBytes = 5000;
      stub.receiver.send(answer('x'.repeat(3000)));
      stub.socket.bufferedBytes = 0;
      stub.receiver.sendQueued();
    }
    expect(stub.socket.endedWith).toBeUndefined();
    stub.socket.bufferedBytes = 5000;
    stub.receiver.send(answer('x'.repeat(5000)));
    expect(stub.socket.endedWith).toBe(4103);
  });

  it('sends nothing past answers that gather, also when the last of their commands has been answered', () => {
    const stub = new StubReceiver();
    stub.receiver.expectAnswers(1);
    stub.receiver.send(answer('one'));
    stub.receiver.answered();
    stub.receiver.send(answer('two'));
    expect(stub.sent).toEqual([]);
    stub.outbox.flush();
    stub.receiver.send(answer('three'));
    expect(topicsOf(stub)).toEqual(['one', 'two', 'three']);
  });

  it('sends answers that gather as one array, and a single one as it is', () => {
    const stub = new StubReceiver();
    stub.receiver.expectAnswers(4);
    for (const text of ['one', 'two', 'three']) stub.receiver.send(answer(text));
    stub.outbox.flush();
    stub.receiver.send(answer('four'));
    stub.outbox.flush();
    expect(stub.sent).toEqual([['one', 'two', 'three'].map(answer), answer('four')]);
  });

  it('sends no array that is larger than its bound, and a large answer alone, in order', () => {
    const stub = new StubReceiver();
    const texts = Array.from({ length: 200 }, (_, at) => `${at}${'x'.repeat(at === 50 ? 2000 : at % 100)}`);
    stub.receiver.expectAnswers(texts.length);
    for (const text of texts) stub.receiver.send(answer(text));
    stub.outbox.flush();
    expect(stub.sent.flat()).toEqual(texts.map(answer));
    const large = stub.sent.findIndex((message) => 'topic' in message && message.topic === texts[50]);
    expect(large).toBeGreaterThan(0);
    for (const [at, { length }] of stub.socket.frames.entries()) if (at !== large) expect(length).toBeLessThanOrEqual(4096);
    // None could have been joined with the next.
    expect(stub.socket.frames.length).toBeLessThan(12);
  });

  it('joins no deflated frame with others', () => {
    const gathered = [answer('one'), answer('two'), undefined, answer('three')].map((message) => ({
      bytes: message === undefined ? Uint8Array.of(0xc9, 0, 0, 0, 1, 90, 0) : msgpackCodec.encode(message),
      eventId: undefined,
    }));
    const [first, deflated, last, ...more] = inArrays(gathered, 'msgpack', 1000);
    expect(more).toEqual([]);
    expect(msgpackCodec.decode(first!.bytes)).toEqual([answer('one'), answer('two')]);
    expect([deflated, last]).toEqual(gathered.slice(2));
  });

  it('ends every wait for room when it closes', async () => {
    const stub = new StubReceiver();
    stub.socket.bufferedBytes = 5000;
    const waiting = stub.receiver.whenRoom();
    stub.socket.close(1006);
    await waiting;
  });

  it.each([
    ['answers that it queues', 0],
    ['answers that gather', 1000],
  ])('has room again when it has closed with %s', async (_, commands) => {
    const stub = new StubReceiver();
    const { receiver } = stub;
    receiver.expectAnswers(commands);
    stub.socket.bufferedBytes = 5000;
    receiver.send(answer('x'.repeat(1500)));
    expect(receiver.hasRoom).toBe(false);
    stub.socket.close(1006);
    expect(receiver.hasRoom).toBe(true);
    await receiver.whenRoom();
  });
});
