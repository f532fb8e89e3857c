import { describe, expect, it } from 'vitest';
import type { NamespaceOptions } from '../../src/config/schema.ts';
import type { HubClient } from '../../src/delivery/hub-client.ts';
import { MissedReader } from '../../src/delivery/missed-reader.ts';
import { EPOCH, feed, key, recentOf, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

interface Setting {
  readonly bytesMax?: number;
  readonly state?: NamespaceOptions['state'];
  /** As far back as the log has it. */
  readonly provenFrom?: number;
}

/** A topic at offset 1,000, of which the ring has the last two; a hub that has read everything from where it was asked. */
function setUp({ bytesMax = 1_000_000, state = 'last', provenFrom = 0 }: Setting = {}) {
  const asked: number[] = [];
  const hub = {
    recover: async ({ after }: { readonly after: number }) => {
      asked.push(after);
      const completeFrom = Math.max(after, provenFrom);
      const items = [source(completeFrom + 1, { value: 'x'.repeat(100) })];
      return { kind: 'recovery', requestId: 1, epoch: EPOCH, completeFrom, offset: 1000, items };
    },
  };
  const missedReader = new MissedReader(hub as unknown as HubClient, recentOf({ bytesMax: 4 * bytesMax }));
  const feedOf = (topic = 'scores.a') => {
    const made = feed({ topic, namespace: namespaceOptions({ state }), limits: { itemsPerTopicMax: 2, keysPerTopicMax: 1 } });
    for (const offset of [998, 999, 1000]) made.push(source(offset, { key: state === 'keyed' ? key(`K${offset}`) : null }));
    return made;
  };
  return { missedReader, asked, feedOf };
}

const since = (offset: number, epoch = EPOCH) => ({ epoch, offset });

describe('MissedReader', () => {
  it('asks the hub for nothing that the ring has, nor for a position of another epoch, nor of a keyed topic', async () => {
    const { missedReader, asked, feedOf } = setUp();
    expect(await missedReader.read(feedOf(), since(999))).toBeUndefined();
    expect(await missedReader.read(feedOf(), since(10, 'another'))).toBeUndefined();
    expect(await missedReader.read(setUp({ state: 'keyed' }).feedOf(), since(10))).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('asks once for all that reconnect at the same time or a little later, and again for a client that was away longer', async () => {
    const { missedReader, asked, feedOf } = setUp();
    const made = feedOf();
    const [first, second] = await Promise.all([missedReader.read(made, since(50)), missedReader.read(made, since(60))]);
    expect(second).toBe(first);
    expect(await missedReader.read(made, since(70))).toBe(first);
    expect(asked).toEqual([50]);
    expect((await missedReader.read(made, since(20)))?.completeFrom).toBe(20);
    expect(asked).toEqual([50, 20]);
  });

  it('does not ask for what came with the opening of the topic, only for what lies before it', async () => {
    const { missedReader, asked, feedOf } = setUp();
    const made = feedOf();
    missedReader.keep(made.topic, { epoch: EPOCH, completeFrom: 50, offset: 1000, items: [source(60)] });
    expect((await missedReader.read(made, since(50)))?.items).toMatchObject([{ offset: 60 }]);
    expect(missedReader.known(made, since(70))).toMatchObject({ completeFrom: 50 });
    expect(asked).toEqual([]);
    expect((await missedReader.read(made, since(20)))?.completeFrom).toBe(20);
    expect(asked).toEqual([20]);
  });

  it('gives a client that was away too long what there is, without asking again', async () => {
    const { missedReader, asked, feedOf } = setUp({ provenFrom: 40 });
    const made = feedOf();
    const first = await missedReader.read(made, since(20));
    expect(first?.completeFrom).toBe(40);
    expect(await missedReader.read(made, since(30))).toBe(first);
    expect(await missedReader.read(made, since(10))).toBe(first);
    expect(asked).toEqual([20]);
  });

  it('asks again if the ring has evicted what follows the kept read', async () => {
    const { missedReader, asked, feedOf } = setUp();
    const made = feedOf();
    await missedReader.read(made, since(50));
    for (const offset of [1001, 1002, 1003, 1004]) made.push(source(offset));
    await missedReader.read(made, since(50));
    expect(asked).toEqual([50, 50]);
  });

  it('keeps what fits its limit, and drops the least recently used', async () => {
    const { missedReader, asked, feedOf } = setUp({ bytesMax: 800 });
    const [a, b] = [feedOf('scores.a'), feedOf('scores.b')];
    await missedReader.read(a, since(50));
    const each = missedReader.bytes;
    expect(each).toBeGreaterThan(100);
    expect(2 * each).toBeLessThan(800);
    expect(3 * each).toBeGreaterThan(800);
    await missedReader.read(b, since(50));
    await missedReader.read(a, since(50));
    expect(missedReader.bytes).toBe(2 * each);
    for (const topic of ['scores.c', 'scores.d']) await missedReader.read(feedOf(topic), since(50));
    expect(missedReader.bytes).toBeLessThanOrEqual(800);
    await missedReader.read(b, since(50));
    expect(asked).toHaveLength(5);
  });

  it('drops what has not been used for a while', async () => {
    const { missedReader, asked, feedOf } = setUp();
    const made = feedOf();
    await missedReader.read(made, since(50));
    missedReader.forgetOld(performance.now() + 4000);
    expect(missedReader.bytes).toBeGreaterThan(0);
    missedReader.forgetOld(performance.now() + 60_000);
    expect(missedReader.bytes).toBe(0);
    await missedReader.read(made, since(50));
    expect(asked).toEqual([50, 50]);
  });
});
