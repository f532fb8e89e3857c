import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InFlight } from '../../src/session/in-flight.ts';

const LIMITS = { commandsPerConnectionMax: 4, commandBytesPerConnectionMax: 1000, commandBytesInFlightMax: 3000 };
const connection = () => ({ commandsInFlight: 0, commandBytesInFlight: 0 });

describe('commands in flight', () => {
  it('are bounded by number for a connection', () => {
    const flight = new InFlight(LIMITS, 1);
    const one = connection();
    for (let i = 0; i < 4; i++) expect(flight.take(one, 1)).toBeUndefined();
    expect(flight.take(one, 1)).toContain('4 commands');
    flight.release(one, 1);
    expect(flight.take(one, 1)).toBeUndefined();
  });

  it('are bounded by bytes for a connection: as many as allowed pass, one more does not', () => {
    const flight = new InFlight(LIMITS, 1);
    const one = connection();
    expect(flight.take(one, 999)).toBeUndefined();
    expect(flight.take(one, 2)).toContain('1000 bytes');
    expect(flight.take(one, 1)).toBeUndefined();
  });

  it('are bounded by bytes for all connections, of which a worker has its share', () => {
    const flight = new InFlight(LIMITS, 2);
    expect(flight.take(connection(), 1000)).toBeUndefined();
    expect(flight.take(connection(), 501)).toContain('all connections');
    expect(flight.take(connection(), 500)).toBeUndefined();
    expect(flight.bytes).toBe(1500);
  });

  it('are all released, also if some were refused in between', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ who: fc.nat(3), bytes: fc.integer({ min: 1, max: 600 }) })), (asked) => {
        const flight = new InFlight(LIMITS, 1);
        const all = [connection(), connection(), connection(), connection()];
        const taken = asked.filter(({ who, bytes }) => flight.take(all[who]!, bytes) === undefined);
        expect(flight.bytes).toBeLessThanOrEqual(LIMITS.commandBytesInFlightMax);
        for (const { who, bytes } of taken) flight.release(all[who]!, bytes);
        expect(flight.bytes).toBe(0);
        for (const one of all) expect(one).toEqual(connection());
      }),
    );
  });
});
