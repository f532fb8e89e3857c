import { describe, expect, it } from 'vitest';
import { AnswerOutbox } from '../../src/session/answer-outbox.ts';
import { StubConnection } from '../support/stub-connection.ts';

const answer = (text: string) => ({ type: 'unsubscribed', id: 1, topic: text }) as const;
const topicsOf = ({ sent }: StubConnection) => sent.map((message) => 'topic' in message && message.topic);

describe('a connection', () => {
  it('holds answers while its socket is full, and sends them in order when it has room, before any other', () => {
    const stub = new StubConnection();
    stub.bufferedBytes = 5000;
    stub.connection.send(answer('one'));
    // Room again, but nobody has said so: what is held goes first.
    stub.bufferedBytes = 0;
    stub.connection.send(answer('two'));
    expect(stub.sent).toEqual([]);
    stub.connection.sendHeld();
    stub.connection.send(answer('three'));
    expect(topicsOf(stub)).toEqual(['one', 'two', 'three']);
  });

  it('counts what it holds anew each time', () => {
    const stub = new StubConnection();
    for (let round = 0; round < 5; round++) {
      stub.bufferedBytes = 5000;
      stub.connection.send(answer('x'.repeat(3000)));
      stub.bufferedBytes = 0;
      stub.connection.sendHeld();
    }
    expect(stub.endedWith).toBeUndefined();
    stub.bufferedBytes = 5000;
    stub.connection.send(answer('x'.repeat(5000)));
    expect(stub.endedWith).toBe(4103);
  });

  it('sends nothing past answers that gather, also when the last of their commands has been answered', () => {
    const stub = new StubConnection();
    const outbox = new AnswerOutbox();
    stub.connection.expectAnswers(1, outbox);
    stub.connection.send(answer('one'));
    stub.connection.answered();
    stub.connection.send(answer('two'));
    expect(stub.sent).toEqual([]);
    outbox.flush();
    stub.connection.send(answer('three'));
    expect(topicsOf(stub)).toEqual(['one', 'two', 'three']);
  });

  it('lets nobody wait for room for ever: closing ends the wait', async () => {
    const stub = new StubConnection();
    stub.bufferedBytes = 5000;
    const waiting = stub.connection.whenRoom();
    stub.connection.closed();
    await waiting;
  });

  it.each([
    ['answers that it holds', 0],
    ['answers that gather', 1000],
  ])('has room once it has closed, whatever waited then: %s', async (_, commands) => {
    const stub = new StubConnection();
    const { connection } = stub;
    connection.expectAnswers(commands, new AnswerOutbox());
    stub.bufferedBytes = 5000;
    connection.send(answer('x'.repeat(1500)));
    expect(connection.hasRoom).toBe(false);
    connection.closed();
    expect(connection.hasRoom).toBe(true);
    await connection.whenRoom();
  });
});
