import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressKey, addressText, parseAddress } from '../../src/transport/address.ts';
import { ClientAddresses } from '../../src/transport/client-address.ts';

type AddressFrom = ConstructorParameters<typeof ClientAddresses>[0]['addressFrom'];

interface Request {
  readonly peer?: string;
  readonly forwarded?: readonly string[];
  readonly proxied?: string;
}

function addressIn(trusted: readonly string[], addressFrom: AddressFrom = 'forwardedFor') {
  const addresses = new ClientAddresses({ trusted, addressFrom });
  const bytes = (text: string | undefined) => Uint8Array.from(text === undefined ? [] : (parseAddress(text) ?? [])).buffer;
  return ({ peer = '10.0.0.1', forwarded = [], proxied }: Request) =>
    addresses.of(
      { getRemoteAddress: () => bytes(peer), getProxiedRemoteAddress: () => bytes(proxied) },
      { forEach: (each) => forwarded.forEach((line) => void each('x-forwarded-for', line)) },
    );
}

const key = (text: string) => addressKey(parseAddress(text) as Buffer);

describe('the address of a client', () => {
  it('is that of the connection where no proxy is trusted, whatever headers say', () => {
    const of = addressIn([]);
    expect(of({ peer: '1.2.3.4', forwarded: ['5.6.7.8'], proxied: '9.9.9.9' })).toBe(key('1.2.3.4'));
  });

  it('is that of the connection if this is not a trusted proxy', () => {
    for (const from of ['forwardedFor', 'proxyProtocol'] as const) {
      const of = addressIn(['10.0.0.0/8'], from);
      expect(of({ peer: '11.0.0.1', forwarded: ['5.6.7.8'], proxied: '9.9.9.9' })).toBe(key('11.0.0.1'));
    }
  });

  it('is the last one in X-Forwarded-For that is not trusted: what precedes it the client may have written', () => {
    const of = addressIn(['10.0.0.0/8', 'fd00::/8']);
    expect(of({ forwarded: ['6.6.6.6, 5.6.7.8'] })).toBe(key('5.6.7.8'));
    expect(of({ forwarded: ['6.6.6.6', '5.6.7.8, 10.2.2.2', 'fd00::7'] })).toBe(key('5.6.7.8'));
    expect(of({ peer: 'fd12::1', forwarded: ['2001:db8:1:2::9'] })).toBe(key('2001:db8:1:2::'));
    expect(of({ forwarded: ['5.6.7.8:4711'] })).toBe(key('5.6.7.8'));
    expect(of({ forwarded: ['[2001:db8::1]:443'] })).toBe(key('2001:db8::1'));
    expect(of({ forwarded: ['::ffff:5.6.7.8'] })).toBe(key('5.6.7.8'));
  });

  it('is that of the nearest known hop if the header has no address there', () => {
    const of = addressIn(['10.0.0.0/8']);
    for (const forwarded of [[], [''], ['unknown'], ['1.2.3.4, _hidden'], ['1.2.3.4,'], ['999.1.1.1'], ['fe80::1%eth0']]) {
      expect(of({ forwarded }), String(forwarded)).toBe(key('10.0.0.1'));
    }
    expect(of({ forwarded: ['1.2.3.4, junk, 10.0.0.2'] })).toBe(key('10.0.0.2'));
  });

  it('is that of the PROXY protocol if that is set, and never that of X-Forwarded-For then', () => {
    const of = addressIn(['10.0.0.1'], 'proxyProtocol');
    expect(of({ proxied: '5.6.7.8', forwarded: ['6.6.6.6'] })).toBe(key('5.6.7.8'));
    expect(of({ forwarded: ['6.6.6.6'] })).toBe(key('10.0.0.1'));
  });

  it('is unknown for a connection that has closed', () => {
    expect(addressIn(['10.0.0.1'])({ peer: '', forwarded: ['6.6.6.6'] })).toBe('');
  });
});

describe('parseAddress', () => {
  it('reads every IPv6 address as it was written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = parseAddress(text) as Buffer;
        const again = parseAddress(addressText(bytes)) as Buffer;
        expect(again.equals(bytes)).toBe(true);
        if (bytes.length === 16) expect(new URL(`http://[${addressText(bytes)}]`).host).toBe(new URL(`http://[${text}]`).host);
      }),
    );
  });

  it('gives nothing for other texts, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect([undefined, 4, 16]).toContain(parseAddress(text)?.length);
      }),
    );
  });
});
