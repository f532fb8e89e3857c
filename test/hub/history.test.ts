import { afterEach, describe, expect, it } from 'vitest';
import type { ToWorker } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { HubWorld } from '../support/hub-world.ts';

const NO_CACHE = { 'hub.cacheItemsPerTopicMax': 0 };
const worlds: HubWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

function start(settings: Readonly<Record<string, unknown>> = {}): HubWorld {
  const world = new HubWorld(settings);
  worlds.push(world);
  return world;
}

const ALL = { limit: 1000, bytesMax: 1_000_000 };
const plain = 'plain.a' as Topic;
const keyed = 'keyed.a' as Topic;
const offsetsOf = ({ items }: { readonly items: readonly { readonly offset: number }[] }) => items.map(({ offset }) => offset);

/** The page after this offset, of a topic that nobody holds. */
async function page(world: HubWorld, topic: Topic, after: number) {
  const { epoch } = await world.logOf(topic === keyed ? 'keyed' : 'plain').state();
  const answer = await world.ask({ kind: 'read', topic, epoch, after, ...ALL });
  if (answer.kind !== 'items') throw new Error(`answered with ${answer.kind}`);
  return answer;
}

async function recovery(world: HubWorld, after: number) {
  const answer = await world.ask({ kind: 'recover', topic: plain, after });
  if (answer.kind !== 'recovery') throw new Error(`answered with ${answer.kind}`);
  return answer;
}

describe('a page of history', () => {
  it('of a keyed topic is complete only while the log goes back to the position: a key may have changed in what is gone', async () => {
    const world = start();
    world.publish(keyed, 10, 10);
    world.keyed.expire(5);
    expect(await page(world, keyed, 4)).toMatchObject({ complete: false });
    const whole = await page(world, keyed, 5);
    expect(whole).toMatchObject({ complete: true, offset: 10 });
    expect(offsetsOf(whole)).toEqual([6, 7, 8, 9, 10]);
  });

  it('of an unkeyed topic is complete only while nothing after the position is gone', async () => {
    const world = start();
    world.publish(plain, 10);
    world.plain.expire(5);
    expect(await page(world, plain, 4)).toMatchObject({ complete: false });
    expect(await page(world, plain, 5)).toMatchObject({ complete: true });
  });
});

describe('what the log is read for when clients come back', () => {
  it('proves no more than the log shows: where all of it is gone there is nothing before what this node has passed', async () => {
    const world = start(NO_CACHE);
    world.publish(plain, 10);
    await world.open(plain);
    expect(await recovery(world, 2)).toMatchObject({ completeFrom: 0, offset: 10 });
    world.plain.expire(10);
    expect(await recovery(world, 2)).toMatchObject({ completeFrom: 10, items: [] });
  });

  it('is the newest of it, for those who were away for less, where it is too much', async () => {
    const world = start({ ...NO_CACHE, 'limits.recoveryItemsMax': 5 });
    world.publish(plain, 20);
    await world.open(plain);
    const answer = await recovery(world, 2);
    expect(answer).toMatchObject({ completeFrom: 16, offset: 20 });
    expect(offsetsOf(answer)).toEqual([17, 18, 19, 20]);
  });

  it('is nothing when the newest was going as it was read: some of it may have gone before', async () => {
    const world = start({ ...NO_CACHE, 'limits.recoveryItemsMax': 5 });
    world.publish(plain, 20);
    await world.open(plain);
    const readLast = world.plain.readLast.bind(world.plain);
    world.plain.readLast = async (...question) => {
      const publications = await readLast(...question);
      world.plain.expire(18);
      return publications;
    };
    const { completeFrom, items } = await recovery(world, 2);
    expect(completeFrom).toBe(20);
    expect(items).toEqual([]);
  });

  it('is nothing when the log was rolled back meanwhile, and nothing of it is kept for the new life', async () => {
    const world = start();
    world.publish(plain, 10);
    await world.open(plain);
    const before = world.plain.lives[0]!.map(({ uid }) => uid);
    const read = world.plain.read.bind(world.plain);
    let begun = false;
    world.plain.read = async (...question) => {
      const result = await read(...question);
      if (!begun) {
        begun = true;
        world.plain.rollBack(5, false);
        world.publish(plain, 8);
        world.plain.reconnect();
        await world.until((message: ToWorker) => message.kind === 'resync');
      }
      return result;
    };
    expect((await recovery(world, 2)).completeFrom).toBeUndefined();
    const { items } = await recovery(world, 4);
    const uids = items.map(({ data }) => data[0]);
    expect(offsetsOf({ items })).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(uids).not.toContain(before[5]);
  });
});

describe('a topic that is opened', () => {
  it('knows every change only behind the keys that its state has no room for', async () => {
    const world = start({ 'limits.keysPerTopicMax': 3 });
    world.publish(keyed, 8, 8);
    const opened = await world.open(keyed);
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    expect(opened).toMatchObject({ offset: 8, completeFrom: 5 });
    expect(offsetsOf(opened)).toEqual([6, 7, 8]);
  });

  it('knows every change only behind what has expired', async () => {
    const world = start();
    world.publish(keyed, 8, 8);
    world.keyed.expire(4);
    expect(await world.open(keyed)).toMatchObject({ kind: 'opened', offset: 8, completeFrom: 4 });
  });

  it('is not opened from a server that knows less than this node has had of the log: its answer would leave a hole', async () => {
    const world = start();
    await world.open('plain.other');
    world.publish('plain.other', 3);
    world.publish(plain, 5);
    await world.until((message) => message.kind === 'publication' && message.item.offset === 3);
    world.plain.shortBy = 2;
    expect(await world.open(plain)).toMatchObject({ kind: 'openFailed', code: 'unavailable' });
    world.plain.shortBy = 0;
    world.told.length = 0;
    expect(await world.open(plain)).toMatchObject({ kind: 'opened', offset: 8 });
  });
});

describe('the last publications of a live topic', () => {
  it('are read whole once, and then only what has come since', async () => {
    const world = start(NO_CACHE);
    world.publish(plain, 20);
    let wholeReads = 0;
    const readLast = world.plain.readLast.bind(world.plain);
    world.plain.readLast = (...question) => {
      wholeReads++;
      return readLast(...question);
    };
    const last = async (count: number) => {
      const answer = await world.ask({ kind: 'readLast', topic: plain as never, count, bytesMax: 1_000_000 });
      if (answer.kind !== 'items') throw new Error(answer.kind);
      return answer;
    };
    expect(offsetsOf(await last(10))).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    for (let round = 1; round <= 5; round++) {
      world.publish(plain, 3);
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

  it('are read whole again when what had been read is gone from the log', async () => {
    const world = start(NO_CACHE);
    world.publish(plain, 20);
    const question = { kind: 'readLast', topic: plain as never, count: 10, bytesMax: 1_000_000 } as const;
    await world.ask(question);
    world.publish(plain, 5);
    world.plain.expire(22);
    const answer = await world.ask(question);
    expect(answer.kind === 'items' && offsetsOf(answer)).toEqual([23, 24, 25]);
  });
});

it('a page of small publications counts what is around them', async () => {
  const world = start();
  world.publish(plain, 1000);
  const { epoch } = await world.plain.state();
  const answer = await world.ask({ kind: 'read', topic: plain, epoch, after: 0, limit: 1000, bytesMax: 10_000 });
  if (answer.kind !== 'items') throw new Error(answer.kind);
  expect(answer.more).toBe(true);
  expect(answer.items.length).toBeGreaterThan(10);
  expect(answer.items.length).toBeLessThanOrEqual(10_000 / 100);
});
