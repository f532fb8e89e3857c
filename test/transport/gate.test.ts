import { describe, expect, it } from 'vitest';
import { connectionsAllowed } from '../../src/transport/descriptors.ts';
import { Gate } from '../../src/transport/gate.ts';

/** A connection that has been accepted, as uWebSockets shows it. */
class Accepted {
  closed = false;
  isPaused = false;
  /** Empty once its peer has reset it. */
  address: Uint8Array;
  readonly #gate: Gate;
  #gone = false;
  #aborted: (() => void) | undefined;

  constructor(gate: Gate, address: readonly number[]) {
    this.#gate = gate;
    this.address = Uint8Array.from(address);
    gate.filter(this as never, 1);
  }

  getRemoteAddress(): ArrayBuffer {
    return this.address.buffer as ArrayBuffer;
  }

  onAborted(handler: () => void): void {
    this.#aborted = handler;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (this.#gone) throw new Error('uWebSockets would read from a socket that is gone');
    this.isPaused = false;
  }

  /** Closed by either side before its request was whole. */
  close(): void {
    if (this.#gone) throw new Error('uWebSockets would write to memory that is not its own');
    this.#gone = true;
    this.closed = true;
    this.#gate.filter(this as never, -1);
    this.#aborted?.();
  }

  upgrade(): void {
    this.#gate.requested(this as never);
    this.#gone = true;
    this.#gate.upgraded();
  }

  answer(): void {
    this.#gate.requested(this as never);
    this.#gone = true;
    this.#gate.filter(this as never, -1);
  }
}

const ALICE = [10, 0, 0, 1];
const BOB = [10, 0, 0, 2];

function setUp({ handshakesMax = 8, acceptsPerTurnMax = 100, descriptorLimit = undefined as number | undefined, open = 20 } = {}) {
  const state = { connections: 0, others: open, listening: true, refused: 0, unfinished: 0, warnings: 0, listens: true, nowMs: 0 };
  let made: Gate | undefined;
  const gate = new Gate({
    handshakesMax,
    limits: { sharePercentMax: 75 },
    acceptsPerTurnMax,
    handshakeGraceMs: 1000,
    descriptorLimit,
    descriptorsOpen: () => state.others + state.connections + (made?.handshakes ?? 0),
    connections: () => state.connections,
    listener: {
      pause: () => {
        state.listening = false;
      },
      resume: () => {
        state.listening = state.listens;
        return state.listens;
      },
    },
    metrics: {
      handshakesRefused: { inc: () => state.refused++ },
      upgradesUnfinished: { inc: () => state.unfinished++ },
      acceptPauses: { inc: () => undefined },
    },
    logger: { warn: () => state.warnings++ } as never,
    nowMs: () => state.nowMs,
  });
  made = gate;
  return { gate, state, accept: (address: readonly number[]) => new Accepted(gate, address) };
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

describe('accepted connections', () => {
  it('are read acceptsPerTurnMax in a loop turn, further ones later: of each address one in turn', async () => {
    const { accept } = setUp({ handshakesMax: 100, acceptsPerTurnMax: 2 });
    const ofAlice = Array.from({ length: 6 }, () => accept(ALICE));
    const ofBob = Array.from({ length: 2 }, () => accept(BOB));
    const read = () => [ofAlice, ofBob].map((of) => of.filter(({ isPaused }) => !isPaused).length);
    expect(read()).toEqual([2, 0]);
    await soon();
    expect(read()).toEqual([3, 1]);
    // It has left before its turn.
    ofAlice[3]?.close();
    await soon();
    expect(read()).toEqual([4, 2]);
    await soon();
    expect(ofAlice.map(({ isPaused }) => isPaused)).toEqual([false, false, false, true, false, false]);
  });

  it('are late only from their turn on', async () => {
    const { state, accept } = setUp({ acceptsPerTurnMax: 1 });
    const [first, second] = [accept(ALICE), accept(ALICE)];
    state.nowMs = 900;
    await soon();
    state.nowMs = 1500;
    const others = Array.from({ length: 6 }, () => accept(BOB));
    expect([first, second, ...others].map(({ closed }) => closed)).toEqual([true, false, ...others.map(() => false)]);
  });

  it('that leave are counted no longer, also while they wait for their turn', async () => {
    const { gate, state, accept } = setUp({ acceptsPerTurnMax: 1 });
    const waiting = Array.from({ length: 3 }, () => accept(ALICE));
    for (const each of waiting) each.close();
    expect([gate.handshakes, state.unfinished]).toEqual([0, 3]);
    await soon();
    accept(BOB).upgrade();
    expect(gate.handshakes).toBe(0);
  });
});

describe('handshakes', () => {
  it('of one address are bounded by three quarters, whether they end as WebSockets, are answered, or break off', () => {
    const { gate, state, accept } = setUp();
    const [first, second, third] = Array.from({ length: 6 }, () => accept(ALICE)) as [Accepted, Accepted, Accepted];
    expect(accept(ALICE).closed).toBe(true);
    expect(accept(BOB).closed).toBe(false);
    expect(state).toMatchObject({ refused: 1, unfinished: 1, listening: true });
    first.upgrade();
    second.answer();
    third.close();
    expect(gate.handshakes).toBe(4);
    expect([accept(ALICE), accept(ALICE), accept(ALICE)].map(({ closed }) => closed)).toEqual([false, false, false]);
    expect(accept(ALICE).closed).toBe(true);
  });

  it('of all addresses are limited: the worker stops listening, and listens again when a quarter has ended', async () => {
    const { state, accept } = setUp();
    const waiting = [...Array.from({ length: 4 }, () => accept(ALICE)), ...Array.from({ length: 4 }, () => accept(BOB))];
    expect(state).toMatchObject({ listening: false, warnings: 1 });
    waiting[0]?.close();
    await soon();
    expect(state.listening).toBe(false);
    waiting[1]?.upgrade();
    await soon();
    expect(state.listening).toBe(true);
  });

  it('that have waited for a second make room for new ones, of their own address and of others', async () => {
    const { gate, state, accept } = setUp();
    const late = Array.from({ length: 6 }, () => accept(ALICE));
    state.nowMs = 500;
    const early = accept(BOB);
    state.nowMs = 1000;
    const newcomer = accept(ALICE);
    expect(late.every(({ closed }) => closed)).toBe(true);
    expect([early, newcomer].map(({ closed }) => closed)).toEqual([false, false]);
    expect(gate.handshakes).toBe(2);

    for (let i = 0; i < 5; i++) accept([10, 0, 0, 10 + i]);
    expect(state.listening).toBe(true);
    accept([10, 0, 0, 20]);
    expect(state.listening).toBe(false);
    state.nowMs = 1500;
    gate.tick();
    await soon();
    expect(early.closed).toBe(true);
    expect(state.listening).toBe(false);
    state.nowMs = 2000;
    gate.tick();
    await soon();
    expect(gate.handshakes).toBe(0);
    expect(state.listening).toBe(true);
  });

  it('are never cut once something was requested from their address: one of them is a WebSocket now, and it is not known which', () => {
    const { gate, state, accept } = setUp();
    const mine = Array.from({ length: 6 }, () => accept(ALICE));
    const others = Array.from({ length: 2 }, () => accept(BOB));
    mine[3]?.upgrade();
    state.nowMs = 60_000;
    gate.tick();
    for (let i = 0; i < 10; i++) accept(ALICE);
    expect(mine.some(({ closed }) => closed)).toBe(false);
    expect(others.some(({ closed }) => closed)).toBe(true);
  });

  it('are never cut once a request came whose address was no longer known', () => {
    const { gate, state, accept } = setUp();
    const all = [...Array.from({ length: 4 }, () => accept(ALICE)), ...Array.from({ length: 4 }, () => accept(BOB))];
    const [reset] = all as [Accepted];
    reset.address = new Uint8Array();
    reset.upgrade();
    state.nowMs = 60_000;
    gate.tick();
    expect(all.some(({ closed }) => closed)).toBe(false);
    for (const one of all.slice(1)) one.close();
    expect(gate.handshakes).toBe(0);
    // The one that could not be told is forgotten too.
    expect(Array.from({ length: 6 }, () => accept(ALICE)).some(({ closed }) => closed)).toBe(false);
  });

  it('tell an IPv4 address in IPv6 from another, and take half of an IPv6 address for one subscriber', () => {
    const { accept } = setUp();
    const mapped = (last: number) => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last];
    for (let i = 0; i < 6; i++) accept(mapped(1));
    expect(accept(mapped(1)).closed).toBe(true);
    expect(accept(mapped(2)).closed).toBe(false);

    const other = setUp();
    const v6 = (host: number) => [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, host];
    for (let i = 0; i < 6; i++) other.accept(v6(i));
    expect(other.accept(v6(100)).closed).toBe(true);
  });
});

describe('descriptors', () => {
  it('bound handshakes to a quarter of them', () => {
    const { gate, state, accept } = setUp({ handshakesMax: 8192, descriptorLimit: 40, open: 3 });
    for (let i = 0; i < 5; i++) accept(ALICE);
    for (let i = 0; i < 4; i++) accept(BOB);
    expect(state.listening).toBe(true);
    accept(BOB);
    expect(state.listening).toBe(false);
    expect(gate.isPaused).toBe(true);
  });

  it('are never used up: the worker stops listening while a few are left, also if other things than connections use them', () => {
    const { gate, state } = setUp({ descriptorLimit: 1000, open: 20 });
    state.connections = 900;
    gate.tick();
    expect(state.listening).toBe(true);
    state.others += 60;
    gate.tick();
    expect(state.listening).toBe(false);
    state.others -= 10;
    gate.tick();
    expect(state.listening).toBe(false);
    state.others -= 30;
    gate.tick();
    expect(state.listening).toBe(true);
  });

  it('may be too few to listen again: then it is retried later', () => {
    const { gate, state } = setUp({ descriptorLimit: 1000, open: 980 });
    gate.tick();
    state.others = 20;
    state.listens = false;
    gate.tick();
    expect(gate.isPaused).toBe(true);
    state.listens = true;
    gate.tick();
    expect(state.listening).toBe(true);
    expect(gate.isPaused).toBe(false);
  });

  it('bound connections too, where there is a limit', () => {
    expect(connectionsAllowed(200_000, undefined)).toBe(200_000);
    expect(connectionsAllowed(200_000, 1024)).toBe(960);
    expect(connectionsAllowed(100, 1024)).toBe(100);
    expect(connectionsAllowed(100, 10)).toBe(1);
  });
});
