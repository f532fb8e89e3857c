import { describe, expect, it } from 'vitest';
import type { HubClient } from '../../src/delivery/hub-client.ts';
import { PastReader } from '../../src/delivery/past-reader.ts';
import { EPOCH, feed, key, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

interface Setting {
  readonly bytesMax?: number;
  readonly keyed?: boolean;
  /** As far back as the log has it. */
  readonly provenFrom?: number;
}

/** A topic at offset 1,000, of which the ring has the last two; a hub that has read everything from where it was asked. */
function setUp({ bytesMax = 1_000_000, keyed = false, provenFrom = 0 }: Setting = {}) {
  const asked: number[] = [];
  const hub = {
    recover: async ({ after }: { readonly after: number }) => {
      asked.push(after);
      const completeFrom = Math.max(after, provenFrom);
      const items = [source(completeFrom + 1, { value: 'x'.repeat(100) })];
      return { kind: 'recovery', requestId: 1, epoch: EPOCH, completeFrom, offset: 1000, items };
    },
  };
  const pasts = new PastReader(hub as unknown as HubClient, bytesMax);
  const feedOf = (topic = 'scores.a') => {
    const made = feed({ topic, namespace: namespaceOptions({ keyed }), ringBounds: { itemsMax: 2, bytesMax: 1_000_000 }, keysMax: 1 });
    for (const offset of [998, 999, 1000]) made.push(source(offset, { key: keyed ? key(`K${offset}`) : null }), offset - 1);
    return made;
  };
  return { pasts, asked, feedOf };
}

const since = (offset: number, epoch = EPOCH) => ({ epoch, offset });

describe('PastReader', () => {
  it('asks the hub for nothing that the ring has, nor for a position of another epoch, nor of a keyed topic', async () => {
    const { pasts, asked, feedOf } = setUp();
    expect(await pasts.read(feedOf(), since(999))).toBeUndefined();
    expect(await pasts.read(feedOf(), since(10, 'another'))).toBeUndefined();
    expect(await pasts.read(setUp({ keyed: true }).feedOf(), since(10))).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('asks once for all who come back at once or a little later, and again for whoever was gone for longer', async () => {
    const { pasts, asked, feedOf } = setUp();
    const made = feedOf();
    const [first, second] = await Promise.all([pasts.read(made, since(50)), pasts.read(made, since(60))]);
    expect(second).toBe(first);
    expect(await pasts.read(made, since(70))).toBe(first);
    expect(asked).toEqual([50]);
    expect((await pasts.read(made, since(20)))?.completeFrom).toBe(20);
    expect(asked).toEqual([50, 20]);
  });

  it('gives whoever was gone for too long what there is, without asking again', async () => {
    const { pasts, asked, feedOf } = setUp({ provenFrom: 40 });
    const made = feedOf();
    const first = await pasts.read(made, since(20));
    expect(first?.completeFrom).toBe(40);
    expect(await pasts.read(made, since(30))).toBe(first);
    expect(await pasts.read(made, since(10))).toBe(first);
    expect(asked).toEqual([20]);
  });

  it('asks again when the ring has gone on behind what is kept', async () => {
    const { pasts, asked, feedOf } = setUp();
    const made = feedOf();
    await pasts.read(made, since(50));
    for (const offset of [1001, 1002, 1003, 1004]) made.push(source(offset), offset - 1);
    await pasts.read(made, since(50));
    expect(asked).toEqual([50, 50]);
  });

  it('keeps what fits its bound, and gives up what was not used for longest', async () => {
    const { pasts, asked, feedOf } = setUp({ bytesMax: 800 });
    const [a, b] = [feedOf('scores.a'), feedOf('scores.b')];
    await pasts.read(a, since(50));
    const each = pasts.bytes;
    expect(each).toBeGreaterThan(100);
    expect(2 * each).toBeLessThan(800);
    expect(3 * each).toBeGreaterThan(800);
    await pasts.read(b, since(50));
    await pasts.read(a, since(50));
    expect(pasts.bytes).toBe(2 * each);
    for (const topic of ['scores.c', 'scores.d']) await pasts.read(feedOf(topic), since(50));
    expect(pasts.bytes).toBeLessThanOrEqual(800);
    await pasts.read(b, since(50));
    expect(asked).toHaveLength(5);
  });

  it('forgets what nobody has used for a while', async () => {
    const { pasts, asked, feedOf } = setUp();
    const made = feedOf();
    await pasts.read(made, since(50));
    pasts.forgetOld(Date.now() + 4000);
    expect(pasts.bytes).toBeGreaterThan(0);
    pasts.forgetOld(Date.now() + 60_000);
    expect(pasts.bytes).toBe(0);
    await pasts.read(made, since(50));
    expect(asked).toEqual([50, 50]);
  });
});
