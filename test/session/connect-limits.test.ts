import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectLimits, type ConnectLimitsOptions } from '../../src/session/connect-limits.ts';

function limitsOf(limits: Partial<ConnectLimitsOptions['limits']>, more: Partial<ConnectLimitsOptions> = {}) {
  const refused: string[] = [];
  const connects = new ConnectLimits({
    limits: { connectsPerSecondMax: 0, connectionsPerAddressMax: 0, connectsPerAddressPerSecondMax: 0, ...limits },
    addressesMax: 100,
    workers: 1,
    metrics: { connectRefused: (limit) => void refused.push(limit) },
    ...more,
  });
  return { connects, refused };
}

describe('connections of an address', () => {
  it('are permitted up to the limit, and again when one has closed', () => {
    const { connects, refused } = limitsOf({ connectionsPerAddressMax: 2 });
    for (let i = 0; i < 2; i++) {
      expect(connects.take('a', 0)).toBeUndefined();
      expect(connects.opened('a')).toBe('a');
    }
    expect(connects.take('a', 0)).toMatchObject({ code: 'too_many_connections', retryAfterMs: 5000 });
    expect(connects.take('b', 0)).toBeUndefined();
    connects.closed('a');
    expect(connects.take('a', 0)).toBeUndefined();
    expect(refused).toEqual(['connectionsPerAddressMax']);
  });

  it('are shared out among workers, rounded up', () => {
    const { connects } = limitsOf({ connectionsPerAddressMax: 5 }, { workers: 4 });
    const open = () => {
      if (connects.take('a', 0) !== undefined) return false;
      connects.opened('a');
      return true;
    };
    expect([open(), open(), open()]).toEqual([true, true, false]);
  });

  it('need no address to be kept while there is no limit', () => {
    const { connects } = limitsOf({ connectsPerAddressPerSecondMax: 1 });
    expect(connects.opened('a')).toBe('');
    connects.closed('');
    expect(connects.addresses).toBe(0);
  });

  it('leave nothing behind, whatever opens and closes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c')), (addresses) => {
        const { connects } = limitsOf({ connectionsPerAddressMax: 3 });
        const open = addresses.flatMap((address) => (connects.take(address, 0) === undefined ? [connects.opened(address)] : []));
        for (const address of open) connects.closed(address);
        expect(connects.addresses).toBe(0);
      }),
    );
  });
});

describe('connects per second of an address', () => {
  it('are refused above the rate, and do not use up the rate of all', () => {
    const { connects, refused } = limitsOf({ connectsPerAddressPerSecondMax: 2, connectsPerSecondMax: 3 });
    const codes = Array.from({ length: 50 }, () => connects.take('a', 0)?.code);
    expect(codes.filter((code) => code === undefined)).toHaveLength(2);
    expect(codes.at(-1)).toBe('rate_limited');
    expect(connects.take('b', 0)).toBeUndefined();
    expect(connects.take('b', 0)).toMatchObject({ code: 'unavailable' });
    expect(connects.take('a', 1000)).toBeUndefined();
    expect(refused.filter((limit) => limit === 'connectsPerSecondMax')).toHaveLength(1);
  });

  it('are counted for a bounded number of addresses: the one that connected longest ago is forgotten', () => {
    const { connects } = limitsOf({ connectsPerAddressPerSecondMax: 1 }, { addressesMax: 3 });
    for (const address of ['a', 'b', 'c']) connects.take(address, 0);
    connects.take('a', 1);
    connects.take('d', 1);
    expect(connects.addresses).toBe(3);
    expect(connects.take('b', 1)).toBeUndefined();
    expect(connects.take('a', 1)).toMatchObject({ code: 'rate_limited' });
    for (let i = 0; i < 10_000; i++) connects.take(`x${i}`, 2);
    expect(connects.addresses).toBe(3);
  });

  it('are forgotten when the address may burst again anyway', () => {
    const { connects } = limitsOf({ connectsPerAddressPerSecondMax: 1 });
    connects.take('a', 0);
    connects.take('b', 1500);
    connects.forgetFull(2100);
    expect(connects.addresses).toBe(1);
    connects.forgetFull(3500);
    expect(connects.addresses).toBe(0);
  });
});
