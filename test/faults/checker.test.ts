import { describe, expect, it } from 'vitest';
import { ClientCheck, checkStore } from './checker.ts';
import { addVerdicts, lifeOf, NO_FAULTS, type Stored, type Verdict } from './ledger.ts';

const TOPIC = 'scores.match';
/** Offsets 2, 4, 6, 8, 10 with ids 1 to 5; another topic's lie between. */
const STORED: Stored[] = [1, 2, 3, 4, 5].flatMap((id) => [
  { topic: 'scores.other', id: 100 + id, offset: id * 2 - 1 },
  { topic: TOPIC, id, offset: id * 2 },
]);
const LIVES = [
  lifeOf('A', STORED),
  lifeOf('B', [
    { topic: TOPIC, id: 1, offset: 2 },
    { topic: TOPIC, id: 9, offset: 4 },
  ]),
];

function check(tell: (client: ClientCheck) => void): Verdict {
  const client = new ClientCheck(TOPIC, LIVES);
  tell(client);
  return client.end();
}

/** Ids of epoch A, given at the offsets that they have there. */
function deliver(client: ClientCheck, ...ids: number[]): void {
  for (const id of ids) client.deliver('A', id * 2, id);
}

describe('the check of one client', () => {
  it('finds no fault with a client that received everything after its start, once, in order', () => {
    const verdict = check((client) => {
      client.start('A', 4, 4);
      deliver(client, 3, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, delivered: 3 });
  });

  it('counts what is missing in the middle as lost, and each range of it as a gap', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, lost: 2, gaps: 1, delivered: 3 });
  });

  it('counts what is missing at the end as lost', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1, 2);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, lost: 3, delivered: 2 });
  });

  it('counts everything after the start as lost for a client that received nothing', () => {
    expect(check((client) => client.start('A', 1, undefined))).toEqual({ ...NO_FAULTS, lost: 5 });
  });

  it('counts duplicates', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1, 2, 2, 3, 1, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, duplicates: 2, delivered: 7 });
  });

  it('counts as a duplicate what lies before the start', () => {
    const verdict = check((client) => {
      client.start('A', 6, 6);
      deliver(client, 3, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, duplicates: 1, delivered: 3 });
  });

  it('counts what arrived late as out of order, not as lost', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1, 3, 2, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, reordered: 1, gaps: 1, delivered: 5 });
  });

  it('knows a publication by its content, not its offset alone: a rolled-back log that went on is another history', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1);
      client.deliver('A', 4, 9);
      deliver(client, 3, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, foreign: 1, lost: 1, gaps: 1, delivered: 5 });
  });

  it("counts as foreign what is from another epoch than the client's, or from an unknown epoch", () => {
    const merged = check((client) => {
      client.start('A', 8, 8);
      client.deliver('B', 4, 9);
      deliver(client, 5);
    });
    expect(merged).toEqual({ ...NO_FAULTS, foreign: 1, delivered: 2 });
    expect(check((client) => client.start('C', 0, undefined))).toEqual({ ...NO_FAULTS, foreign: 1 });
  });

  it('accepts that a resync declares what is left out, but not what was lost before it', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1, 3);
      client.start('A', 8, 8);
      deliver(client, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, lost: 1, gaps: 1, declared: 1, declarations: 1, delivered: 3 });
  });

  it('follows a client into another epoch', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1, 2, 3, 4, 5);
      client.start('B', 2, 2);
      client.deliver('B', 4, 9);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, declarations: 1, delivered: 6 });
  });

  it('accepts that a skip declares what lies before its offset', () => {
    const verdict = check((client) => {
      client.start('A', 0, null);
      deliver(client, 1);
      client.skip(7);
      deliver(client, 4, 5);
    });
    expect(verdict).toEqual({ ...NO_FAULTS, declared: 2, declarations: 1, delivered: 3 });
  });

  it('finds a snapshot that is not the latest at its offset, and a missing one', () => {
    expect(check((client) => client.start('A', 10, 8)).wrongSnapshots).toBe(1);
    expect(check((client) => client.start('A', 10, null)).wrongSnapshots).toBe(1);
    expect(check((client) => client.start('A', 11, 10)).wrongSnapshots).toBe(0);
    expect(check((client) => client.start('A', 1, null)).wrongSnapshots).toBe(0);
  });

  it('adds up', () => {
    const one = { ...NO_FAULTS, lost: 1, delivered: 2 };
    expect(addVerdicts([one, one, NO_FAULTS])).toEqual({ ...NO_FAULTS, lost: 2, delivered: 4 });
  });
});

describe('the check of the store', () => {
  const FINE = { acknowledgedLost: 0, storedTwice: 0, wrongAcknowledgements: 0 };

  it('finds no fault with a store that has everything acknowledged, and something unacknowledged', () => {
    expect(checkStore(STORED.slice(0, 5), STORED)).toEqual(FINE);
  });

  it('counts what was acknowledged and is missing', () => {
    expect(checkStore(STORED, STORED.slice(2))).toEqual({ ...FINE, acknowledgedLost: 2 });
  });

  it('counts what was stored twice, whichever offset was acknowledged', () => {
    const again = { topic: TOPIC, id: 3, offset: 77 };
    expect(checkStore([...STORED, again], [...STORED, again])).toEqual({ ...FINE, storedTwice: 1 });
  });

  it('counts what was acknowledged at an offset with something else', () => {
    expect(checkStore([{ topic: TOPIC, id: 1, offset: 4 }], STORED)).toEqual({ ...FINE, wrongAcknowledgements: 1 });
  });

  it('treats the same id on two topics as two publications', () => {
    const stored = [
      { topic: 'scores.a', id: 1, offset: 1 },
      { topic: 'scores.b', id: 1, offset: 2 },
    ];
    expect(checkStore(stored, stored)).toEqual(FINE);
  });
});
