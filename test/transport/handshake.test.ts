import { describe, expect, it } from 'vitest';
import { chooseProtocol, findToken } from '../../src/transport/upgrade.ts';

describe('chooseProtocol', () => {
  const chosen = (...offered: string[]) => {
    const protocol = chooseProtocol(offered);
    return protocol && [protocol.encoding, protocol.subprotocol];
  };

  it('is JSON if nothing is requested, without a subprotocol in the answer', () => {
    expect(chosen()).toEqual(['json', '']);
  });

  it('is the requested one', () => {
    expect(chosen('stentor.v1.msgpack')).toEqual(['msgpack', 'stentor.v1.msgpack']);
    expect(chosen('stentor.v1.json')).toEqual(['json', 'stentor.v1.json']);
  });

  it("is the first known one of the client's", () => {
    expect(chosen('stentor.v2.msgpack', 'stentor.v1.json', 'stentor.v1.msgpack')).toEqual(['json', 'stentor.v1.json']);
  });

  it('is refused if none is known', () => {
    for (const offered of ['stentor.v2.json', 'graphql-ws', 'STENTOR.V1.JSON', 'stentor.v1', 'constructor']) {
      expect(chosen(offered)).toBeUndefined();
    }
  });

  it('never treats a token entry as a subprotocol, and never echoes it', () => {
    expect(chosen('bearer.aaa.bbb.ccc')).toEqual(['json', '']);
    expect(chosen('bearer.aaa.bbb.ccc', 'stentor.v1.msgpack')).toEqual(['msgpack', 'stentor.v1.msgpack']);
    expect(chosen('bearer.aaa.bbb.ccc', 'other')).toBeUndefined();
  });
});

describe('findToken', () => {
  it('looks into the header, then the subprotocol entry, then the query', () => {
    expect(findToken('Bearer h', ['stentor.v1.json', 'bearer.p'], 'q')).toBe('h');
    expect(findToken('', ['stentor.v1.json', 'bearer.p'], 'q')).toBe('p');
    expect(findToken('', ['stentor.v1.json'], 'q')).toBe('q');
    expect(findToken('', [], undefined)).toBeUndefined();
    expect(findToken('', [], '')).toBeUndefined();
  });

  it('accepts the scheme in any case and trims the token', () => {
    expect(findToken('bearer  x ', [], undefined)).toBe('x');
    expect(findToken('BEARER x', [], undefined)).toBe('x');
  });

  it('is no token where the header has another scheme', () => {
    expect(findToken('Basic dXNlcjpwYXNz', [], undefined)).toBeUndefined();
    expect(findToken('Bearerx', [], undefined)).toBeUndefined();
  });

  it('is an empty token if one was announced: it is refused, not treated as anonymous', () => {
    expect(findToken('Bearer ', [], undefined)).toBe('');
    expect(findToken('', ['bearer.'], undefined)).toBe('');
  });
});
