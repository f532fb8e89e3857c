import { describe, expect, it } from 'vitest';
import { InFlight } from '../../src/session/in-flight.ts';
import { type InboundMessage, type Reading, ReadTurns, type Unread } from '../../src/session/read-turns.ts';

const OVERHEAD_BYTES = 128;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const message = (text: string): InboundMessage => ({ bytes: Buffer.from(text), bytesWaitMs: 0, atMs: 0 });

class Reader {
  readonly owner: string;
  unread: Unread | undefined;
  endedBecause: string | undefined;

  readonly #onEnd: (reader: Reader) => void;

  constructor(owner = 'ann', onEnd: (reader: Reader) => void = () => undefined) {
    this.owner = owner;
    this.#onEnd = onEnd;
  }

  end(reason: string): void {
    this.endedBecause = reason;
    this.#onEnd(this);
  }
}

interface Settings {
  readonly unreadBytesPerConnectionMax?: number;
  readonly commandBytesInFlightMax?: number;
}

/** Each message takes a millisecond to read, and each letter of one in brackets; a turn has two. A letter in `until` waits for its promise. */
function setUp({ unreadBytesPerConnectionMax = 10_000, commandBytesInFlightMax = 100_000 }: Settings = {}) {
  const read: string[] = [];
  const until = new Map<string, Promise<unknown>>();
  const ended: string[] = [];
  let nowMs = 0;
  function* each(reader: Reader, letters: string): Generator<Promise<unknown> | undefined, void> {
    try {
      for (const letter of letters) {
        if (until.has(letter)) yield until.get(letter);
        nowMs++;
        if (letter === '!') throw new Error('a bug');
        if (letter === '#') reader.end('itself');
        read.push(letter);
        yield undefined;
      }
    } finally {
      ended.push(letters);
    }
  }
  const inFlight = new InFlight({ commandsPerConnectionMax: 100, commandBytesPerConnectionMax: 100_000, commandBytesInFlightMax }, 1);
  const turns = new ReadTurns({
    turnMs: 2,
    unreadBytesPerConnectionMax,
    inFlight,
    read: (reader: Reader, { bytes }): Reading | undefined => {
      const text = Buffer.from(bytes).toString();
      if (text.startsWith('[')) return each(reader, text.slice(1, -1));
      nowMs++;
      read.push(text);
      return undefined;
    },
    failed: (reader, error) => reader.end(error.message),
    nowMs: () => nowMs,
  });
  return { turns, inFlight, read, until, ended };
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

  it('wait in lines, one for each owner, so that one with many connections delays mostly its own', async () => {
    const { turns, read } = setUp();
    const many = Array.from({ length: 5 }, () => new Reader('mallory'));
    for (const [n, reader] of many.entries()) for (const text of [`m${n}.1`, `m${n}.2`]) turns.take(reader, message(text));
    const bob = new Reader('bob');
    for (const text of ['b1', 'b2']) turns.take(bob, message(text));
    expect(read.splice(0)).toEqual(['m0.1', 'm0.2']);
    await turn();
    expect(read.splice(0)).toEqual(['m1.1', 'b1']);
    await turn();
    expect(read.splice(0)).toEqual(['m2.1', 'b2']);
    for (let n = 0; n < 3; n++) await turn();
    expect(read).toEqual(['m3.1', 'm4.1', 'm1.2', 'm2.2', 'm3.2', 'm4.2']);
    expect(turns.bytes).toBe(0);
  });

  it('close who has the most that waits, of the owner with the most, when no more may wait for all', async () => {
    const each = OVERHEAD_BYTES + 2;
    const { turns, read, inFlight } = setUp({ commandBytesInFlightMax: 6 * each });
    const forget = (reader: Reader) => turns.forget(reader);
    const [large, small] = [new Reader('mallory', forget), new Reader('mallory', forget)];
    const [ann, bob] = [new Reader('ann', forget), new Reader('bob', forget)];
    for (const text of ['r1', 'r2']) turns.take(ann, message(text));
    for (const text of ['l1', 'l2', 'l3']) turns.take(large, message(text));
    turns.take(small, message('s1'));
    for (const text of ['a1', 'a2']) turns.take(ann, message(text));
    expect(inFlight.bytes).toBe(6 * each);
    turns.take(bob, message('b1'));
    expect([large, small, ann, bob].map(({ endedBecause }) => endedBecause)).toEqual(['rateLimited', undefined, undefined, undefined]);
    expect(inFlight.bytes).toBe(4 * each);
    // Nobody has more than it would have itself.
    for (const text of ['b2', 'b3', 'b4']) turns.take(bob, message(text));
    expect(bob.endedBecause).toBe('rateLimited');
    for (let n = 0; n < 3; n++) await turn();
    expect(read).toEqual(['r1', 'r2', 's1', 'a1', 'a2']);
    expect(inFlight.bytes).toBe(0);
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

describe('a message with many commands', () => {
  it('is divided, and nothing else is read before its end', async () => {
    const { turns, read } = setUp();
    const [a, b] = [new Reader('ann'), new Reader('bob')];
    turns.take(a, message('[vwxyz]'));
    for (const text of ['a2', 'a3']) turns.take(a, message(text));
    turns.take(b, message('b1'));
    expect(read).toEqual(['v', 'w']);
    await turn();
    expect(read).toEqual(['v', 'w', 'x', 'y']);
    await turn();
    expect(read).toEqual(['v', 'w', 'x', 'y', 'z', 'a2']);
    await turn();
    expect(read).toEqual(['v', 'w', 'x', 'y', 'z', 'a2', 'b1', 'a3']);
    expect(turns.bytes).toBe(0);
  });

  it('is not read to its end if its connection closes, between two turns or by one of its commands', async () => {
    const { turns, read, inFlight } = setUp();
    const forget = (reader: Reader) => turns.forget(reader);
    const [a, b, c] = [new Reader('ann', forget), new Reader('bob', forget), new Reader('cid', forget)];
    turns.take(a, message('[vwxyz]'));
    turns.take(a, message('a2'));
    turns.take(b, message('[k#lm]'));
    turns.take(b, message('b2'));
    turns.take(c, message('c1'));
    a.end('gone');
    for (let n = 0; n < 3; n++) await turn();
    expect(read).toEqual(['v', 'w', 'k', '#', 'c1']);
    expect([turns.bytes, inFlight.bytes]).toEqual([0, 0]);
  });

  it('waits where a command needs that, with all that its connection sends after it; others are read meanwhile', async () => {
    const { turns, read, until, ended } = setUp();
    let goOn: () => void = () => undefined;
    until.set('x', new Promise<void>((resolve) => (goOn = resolve)));
    const [a, b] = [new Reader('ann'), new Reader('bob')];
    turns.take(a, message('[vxy]'));
    turns.take(a, message('a2'));
    turns.take(b, message('b1'));
    for (let n = 0; n < 3; n++) await turn();
    turns.take(a, message('a3'));
    turns.take(b, message('b2'));
    await turn();
    expect(read).toEqual(['v', 'b1', 'b2']);
    expect(turns.bytes).toBe(2 * (2 + OVERHEAD_BYTES));
    goOn();
    for (let n = 0; n < 4; n++) await turn();
    expect(read).toEqual(['v', 'b1', 'b2', 'x', 'y', 'a2', 'a3']);
    expect([turns.bytes, ended]).toEqual([0, ['vxy']]);
  });

  it('that waits ends with its connection, and can be the one that is closed because too much waits', async () => {
    const each = OVERHEAD_BYTES + 2;
    const { turns, read, until, ended, inFlight } = setUp({ commandBytesInFlightMax: 3 * each });
    until.set('x', new Promise(() => undefined));
    const forget = (reader: Reader) => turns.forget(reader);
    const [a, b, c] = [new Reader('ann', forget), new Reader('bob', forget), new Reader('cid', forget)];
    turns.take(a, message('[vx]'));
    for (const text of ['a2', 'a3', 'a4']) turns.take(a, message(text));
    for (const text of ['r1', 'r2']) turns.take(b, message(text));
    await turn();
    for (const text of ['b3', 'b4', 'b5']) turns.take(b, message(text));
    expect([a.endedBecause, ended]).toEqual(['rateLimited', ['vx']]);
    turns.take(c, message('[vx]'));
    for (let n = 0; n < 4; n++) await turn();
    c.end('gone');
    expect(ended).toEqual(['vx', 'vx']);
    expect(read.filter((text) => text.startsWith('a'))).toEqual([]);
    expect([turns.bytes, inFlight.bytes]).toEqual([0, 0]);
  });

  it('ends its connection if a command throws, or what it waits for fails', async () => {
    const { turns, read, until } = setUp();
    let refuse: (error: Error) => void = () => undefined;
    until.set('x', new Promise((_, reject) => (refuse = reject)));
    const forget = (reader: Reader) => turns.forget(reader);
    const [a, b, c] = [new Reader('ann', forget), new Reader('bob', forget), new Reader('cid', forget)];
    turns.take(a, message('[v!w]'));
    turns.take(b, message('[xy]'));
    turns.take(c, message('c1'));
    for (let n = 0; n < 3; n++) await turn();
    refuse(new Error('no'));
    await turn();
    expect([a.endedBecause, b.endedBecause, c.endedBecause]).toEqual(['a bug', 'no', undefined]);
    expect(read).toEqual(['v', 'c1']);
  });
});
