import { describe, expect, it } from 'vitest';
import { parseDelivery } from '../../src/bus/nats/delivery.ts';
import { nanosecondsOf } from '../../src/bus/nats/stored-message.ts';

describe('a delivery', () => {
  it('is read from the reply subject, as old and new servers write it', () => {
    // Between 2^60 and 2^61 numbers are 256 apart, and each digit may be rounded.
    const timestampNs = expect.closeTo(Number('1700000000123456789'), -3);
    const expected = { streamSeq: 93_475, consumerSeq: 12, timestampNs, pending: 7 };
    expect(parseDelivery('$JS.ACK.stentor-scores.c_1.1.93475.12.1700000000123456789.7')).toEqual(expected);
    expect(parseDelivery('$JS.ACK._.ACCHASH.stentor-scores.c_1.1.93475.12.1700000000123456789.7')).toEqual(expected);
    expect(parseDelivery('$JS.ACK.hub.ACCHASH.stentor-scores.c_1.1.93475.12.1700000000123456789.7.x9')).toEqual(expected);
  });

  it('is nothing else: flow control, status messages', () => {
    for (const reply of ['', '$JS.FC.stentor-scores.c_1.abc', '$JS.ACK.', '$JS.ACK.a.b.c', '$JS.ACK.a.b.1.2.3.4.5.6', '_INBOX.x.y']) {
      expect(parseDelivery(reply), reply).toBeUndefined();
    }
  });

  it('has the same time as the message when it is read by itself, to a microsecond', () => {
    const delivery = parseDelivery('$JS.ACK.s.c.1.1.1.1700000000123456789.0');
    const alone = nanosecondsOf('2023-11-14T22:13:20.123456789Z');
    expect(Math.abs((delivery?.timestampNs ?? 0) - alone)).toBeLessThan(1000);
    expect(nanosecondsOf('2023-11-14T22:13:20Z')).toBe(1_700_000_000e9);
    expect(nanosecondsOf('2023-11-14T22:13:20.5Z')).toBe(1_700_000_000_500e6);
  });
});
