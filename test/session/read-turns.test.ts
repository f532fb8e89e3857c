import { describe, expect, it } from 'vitest';
import { InFlight } from '../../src/session/in-flight.ts';
import { type InboundMessage, ReadTurns, type Unread } from '../../src/session/read-turns.ts';

const OVERHEAD_BYTES = 128;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const message = (text: string): InboundMessage => ({ bytes: Buffer.from(text), bytesWaitMs: 0, atMs: 0 });

class Reader {
  unread: Unread | undefined;
  endedBecause: string | undefined;

  end(reason: string): void {
    this.endedBecause = reason;
  }
}

interface Settings {
  readonly unreadBytesPerConnectionMax?: number;
  readonly commandBytesInFlightMax?: number;
}

/** Each message takes a millisecond to read; a turn has two. */
function setUp({ unreadBytesPerConnectionMax = 10_000, commandBytesInFlightMax = 100_000 }: Settings = {}) {
  const read: string[] = [];
  let nowMs = 0;
  const inFlight = new InFlight({ commandsPerConnectionMax: 100, commandBytesPerConnectionMax: 100_000, commandBytesInFlightMax }, 1);
  const turns = new ReadTurns({
    turnMs: 2,
    unreadBytesPerConnectionMax,
    inFlight,
    read: (_, { bytes }) => {
      nowMs++;
      read.push(Buffer.from(bytes).toString());
    },
    nowMs: () => nowMs,
  });
  return { turns, inFlight, read };
}

describe('messages of clients', () => {
  it('is read at once while the turn has time, and else in later turns, one message of each connection after the other', async () => {
    const { turns, read } = setUp();
    const [a, b, c] = [new Reader(), new Reader(), new Reader()];
    for (const text of ['a1', 'a2', 'a3', 'a4', 'a5']) turns.take(a, message(text));
    expect(read).toEqual(['a1', 'a2']);
    turns.take(b, message('b1'));
    turns.take(c, message('c1'));
    await turn();
    expect(read).toEqual(['a1', 'a2', 'a3', 'b1']);
    await turn();
    expect(read).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4']);
    // Nothing of a connection overtakes what it sent before, though the turn may have time.
    turns.take(a, message('a6'));
    await turn();
    await turn();
    expect(read).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'a5', 'a6']);
    expect(turns.bytes).toBe(0);
  });

  it('count while they wait, and no longer after their connection has closed', async () => {
    const { turns, inFlight, read } = setUp();
    const [a, b] = [new Reader(), new Reader()];
    for (const text of ['a1', 'a2', 'a3', 'a4']) turns.take(a, message(text));
    turns.take(b, message('b1'));
    expect(turns.bytes).toBe(3 * (2 + OVERHEAD_BYTES));
    expect(inFlight.bytes).toBe(turns.bytes);
    turns.forget(a);
    expect(turns.bytes).toBe(2 + OVERHEAD_BYTES);
    await turn();
    expect(read).toEqual(['a1', 'a2', 'b1']);
    expect(inFlight.bytes).toBe(0);
  });

  it('close a connection at one byte above the limit; one message may always wait', () => {
    const { turns } = setUp({ unreadBytesPerConnectionMax: 3 * OVERHEAD_BYTES + 30 });
    const [a, b] = [new Reader(), new Reader()];
    for (const text of ['a1', 'a2']) turns.take(a, message(text));
    for (let i = 0; i < 3; i++) turns.take(a, message('x'.repeat(10)));
    expect(a.endedBecause).toBeUndefined();
    turns.take(a, message('x'));
    expect(a.endedBecause).toBe('rateLimited');
    turns.take(b, message('x'.repeat(5000)));
    expect(b.endedBecause).toBeUndefined();
  });

  it('are read out of turn, to be refused, if no more may wait for all connections; never before earlier ones', () => {
    const { turns, read } = setUp({ commandBytesInFlightMax: OVERHEAD_BYTES + 2 });
    const [a, b] = [new Reader(), new Reader()];
    for (const text of ['a1', 'a2', 'a3']) turns.take(a, message(text));
    turns.take(b, message('b1'));
    expect(read).toEqual(['a1', 'a2', 'b1']);
    expect(b.endedBecause).toBeUndefined();
    turns.take(a, message('a4'));
    expect(a.endedBecause).toBe('rateLimited');
  });
});
