import { afterEach, describe, expect, it } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { TestHub } from '../support/test-hub.ts';

/** So few that most of what is asked for must be read. */
const SMALL = { 'tuning.recent.itemsPerTopicMax': 16 };
const hubs: TestHub[] = [];
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.stop();
});

function start(settings: Readonly<Record<string, unknown>> = {}): TestHub {
  const hub = new TestHub(settings);
  hubs.push(hub);
  return hub;
}

const ALL = { limit: 1000, bytesMax: 1_000_000 };
const plain = 'plain.a' as Topic;
const keyed = 'keyed.a' as Topic;
const offsetsOf = ({ items }: { readonly items: readonly { readonly offset: number }[] }) => items.map(({ offset }) => offset);

/** The page after this offset, of a topic that no worker holds. */
async function page(hub: TestHub, topic: Topic, after: number) {
  const { epoch } = await hub.logOf(topic === keyed ? 'keyed' : 'plain').state();
  const answer = await hub.ask({ kind: 'read', topic, epoch, after, ...ALL });
  if (answer.kind !== 'items') throw new Error(`answered with ${answer.kind}`);
  return answer;
}

async function recovery(hub: TestHub, after: number) {
  const answer = await hub.ask({ kind: 'recover', topic: plain, after });
  if (answer.kind !== 'recovery') throw new Error(`answered with ${answer.kind}`);
  return answer;
}

describe('a page of history', () => {
  it('of a keyed topic is complete only while the log goes back to the position, because a removed publication may have changed a key', async () => {
    const hub = start();
    hub.publish(keyed, 10, 10);
    hub.keyed.expire(5);
    expect(await page(hub, keyed, 4)).toMatchObject({ complete: false });
    const whole = await page(hub, keyed, 5);
    expect(whole).toMatchObject({ complete: true, offset: 10 });
    expect(offsetsOf(whole)).toEqual([6, 7, 8, 9, 10]);
  });

  it('of an unkeyed topic is complete only while nothing after the position has been removed', async () => {
    const hub = start();
    hub.publish(plain, 10);
    hub.plain.expire(5);
    expect(await page(hub, plain, 4)).toMatchObject({ complete: false });
    expect(await page(hub, plain, 5)).toMatchObject({ complete: true });
  });
});

describe('the log reads when clients reconnect', () => {
  it("prove no more than the log shows: if all of it is gone, nothing before this node's position is proven", async () => {
    const hub = start(SMALL);
    hub.publish(plain, 40);
    await hub.open(plain);
    expect(await recovery(hub, 2)).toMatchObject({ completeFrom: 0, offset: 40 });
    hub.plain.expire(40);
    expect(await recovery(hub, 2)).toMatchObject({ completeFrom: 40, items: [] });
  });

  it('return the newest part if it is too much, for clients that were away for a shorter time', async () => {
    const hub = start({ ...SMALL, 'tuning.recovery.recoveryItemsMax': 5 });
    hub.publish(plain, 20);
    await hub.open(plain);
    const answer = await recovery(hub, 2);
    expect(answer).toMatchObject({ completeFrom: 16, offset: 20 });
    expect(offsetsOf(answer)).toEqual([17, 18, 19, 20]);
  });

  it('return nothing if the newest was being removed during the read: some may have been removed before', async () => {
    const hub = start({ ...SMALL, 'tuning.recovery.recoveryItemsMax': 5 });
    hub.publish(plain, 20);
    await hub.open(plain);
    const readLast = hub.plain.readLast.bind(hub.plain);
    hub.plain.readLast = async (...question) => {
      const publications = await readLast(...question);
      hub.plain.expire(18);
      return publications;
    };
    const { completeFrom, items } = await recovery(hub, 2);
    expect(completeFrom).toBe(20);
    expect(items).toEqual([]);
  });

  it('is nothing when the log was rolled back meanwhile, and nothing of it is kept for the new life', async () => {
    const hub = start();
    hub.publish(plain, 10);
    await hub.open(plain);
    const before = hub.plain.lives[0]!.map(({ uid }) => uid);
    const read = hub.plain.read.bind(hub.plain);
    let begun = false;
    hub.plain.read = async (...question) => {
      const result = await read(...question);
      if (!begun) {
        begun = true;
        hub.plain.rollBack(5, false);
        hub.publish(plain, 8);
        hub.plain.reconnect();
        await hub.until((message: ToWorker) => message.kind === 'resync');
      }
      return result;
    };
    expect((await recovery(hub, 2)).completeFrom).toBeUndefined();
    const { items } = await recovery(hub, 4);
    const uids = items.map(({ data }) => data[0]);
    expect(offsetsOf({ items })).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(uids).not.toContain(before[5]);
  });
});

describe('a topic that is opened for a reconnecting client', () => {
  const opened = async (hub: TestHub, offset: number) => {
    const { epoch } = await hub.plain.state();
    const answer = await hub.open(plain, { epoch, offset });
    if (answer.kind !== 'opened') throw new Error(answer.kind);
    return answer;
  };
  const readsOf = (hub: TestHub, before?: () => Promise<void>) => {
    const read = hub.plain.read.bind(hub.plain);
    const after: number[] = [];
    hub.plain.read = async (...question) => {
      after.push(question[1].after);
      await before?.();
      return read(...question);
    };
    return after;
  };

  it('has with its state what the client missed, read from the log once: the client costs one request to the hub', async () => {
    const hub = start();
    hub.publish(plain, 10);
    const reads = readsOf(hub);
    const { offset, items, missed } = await opened(hub, 6);
    expect(offset).toBe(10);
    expect(offsetsOf({ items })).toEqual([10]);
    expect(missed).toMatchObject({ completeFrom: 6, offset: 10 });
    expect(offsetsOf(missed!)).toEqual([7, 8, 9, 10]);
    expect(reads).toHaveLength(1);
    // A client that was away for a little longer is answered from the same read.
    expect(offsetsOf(await recovery(hub, 4))).toEqual([5, 6, 7, 8, 9, 10]);
    expect(reads).toHaveLength(1);
  });

  it('reads nothing where nothing was missed', async () => {
    const hub = start();
    hub.publish(plain, 10);
    const reads = readsOf(hub);
    expect((await opened(hub, 10)).missed).toBeUndefined();
    expect(reads).toEqual([]);
  });

  it('is opened without it if the log takes long, and later requests share the read', async () => {
    const hub = start();
    hub.publish(plain, 10);
    let goOn: () => void = () => undefined;
    const reads = readsOf(hub, () => new Promise<void>((resolve) => (goOn = resolve)));
    expect((await opened(hub, 6)).missed).toBeUndefined();
    const asked = recovery(hub, 6);
    goOn();
    expect(offsetsOf(await asked).slice(-4)).toEqual([7, 8, 9, 10]);
    expect(reads).toHaveLength(1);
  });

  it('is opened without it when the log cannot be read', async () => {
    const hub = start();
    hub.publish(plain, 10);
    hub.plain.read = async () => {
      throw new BusError('bus_unreachable', 'away');
    };
    const { offset, missed } = await opened(hub, 6);
    expect([offset, missed]).toEqual([10, undefined]);
  });
});

describe('a topic that is opened', () => {
  it('knows every change only behind the keys that its state has no room for', async () => {
    const hub = start({ 'tuning.recent.keysPerTopicMax': 3 });
    hub.publish(keyed, 8, 8);
    const opened = await hub.open(keyed);
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    expect(opened).toMatchObject({ offset: 8, completeFrom: 5 });
    expect(offsetsOf(opened)).toEqual([6, 7, 8]);
  });

  it('knows every change only after what has expired', async () => {
    const hub = start();
    hub.publish(keyed, 8, 8);
    hub.keyed.expire(4);
    expect(await hub.open(keyed)).toMatchObject({ kind: 'opened', offset: 8, completeFrom: 4 });
  });

  it('is not opened from a server that is behind this node: its answer would leave a gap', async () => {
    const hub = start();
    await hub.open('plain.other');
    hub.publish('plain.other', 3);
    hub.publish(plain, 5);
    await hub.until((message) => message.kind === 'publication' && message.item.offset === 3);
    hub.plain.shortBy = 2;
    expect(await hub.open(plain)).toMatchObject({ kind: 'openFailed', code: 'unavailable' });
    hub.plain.shortBy = 0;
    hub.told.length = 0;
    expect(await hub.open(plain)).toMatchObject({ kind: 'opened', offset: 8 });
  });
});

describe('the last publications of a live topic', () => {
  it('are read completely once, and then only what is new', async () => {
    const hub = start(SMALL);
    hub.publish(plain, 20);
    let wholeReads = 0;
    const readLast = hub.plain.readLast.bind(hub.plain);
    hub.plain.readLast = (...question) => {
      wholeReads++;
      return readLast(...question);
    };
    const last = async (count: number) => {
      const answer = await hub.ask({ kind: 'readLast', topic: plain as never, count, bytesMax: 1_000_000 });
      if (answer.kind !== 'items') throw new Error(answer.kind);
      return answer;
    };
    expect(offsetsOf(await last(10))).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    for (let round = 1; round <= 5; round++) {
      hub.publish(plain, 3);
      const end = 20 + 3 * round;
      const answer = await last(10);
      expect(offsetsOf(answer)).toEqual(Array.from({ length: 10 }, (_, i) => end - 9 + i));
      expect(answer).toMatchObject({ lastOffset: end, complete: true, more: false });
      expect(offsetsOf(await last(4))).toEqual([end - 3, end - 2, end - 1, end]);
    }
    expect(wholeReads).toBe(1);
    // More than were asked for before: there may be some before them.
    expect((await last(20)).items).toHaveLength(20);
    expect(wholeReads).toBe(2);
  });

  it('are read completely again if what had been read was removed from the log', async () => {
    const hub = start(SMALL);
    hub.publish(plain, 20);
    const question = { kind: 'readLast', topic: plain as never, count: 10, bytesMax: 1_000_000 } as const;
    await hub.ask(question);
    hub.publish(plain, 5);
    hub.plain.expire(22);
    const answer = await hub.ask(question);
    expect(answer.kind === 'items' && offsetsOf(answer)).toEqual([23, 24, 25]);
  });
});

it('a page of small publications counts their overhead', async () => {
  const hub = start();
  hub.publish(plain, 1000);
  const { epoch } = await hub.plain.state();
  const answer = await hub.ask({ kind: 'read', topic: plain, epoch, after: 0, limit: 1000, bytesMax: 10_000 });
  if (answer.kind !== 'items') throw new Error(answer.kind);
  expect(answer.more).toBe(true);
  expect(answer.items.length).toBeGreaterThan(10);
  expect(answer.items.length).toBeLessThanOrEqual(10_000 / 100);
});
