import { describe, expect, it } from 'vitest';
import { StubReceiver } from '../support/stub-receiver.ts';

const answer = (text: string) => ({ type: 'unsubscribed', id: 1, topic: text }) as const;
const topicsOf = ({ sent }: StubReceiver) => sent.map((message) => 'topic' in message && message.topic);

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
