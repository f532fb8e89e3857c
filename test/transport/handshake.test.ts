import { describe, expect, it } from 'vitest';
import { chooseProtocol, findToken } from '../../src/transport/upgrade.ts';

describe('chooseProtocol', () => {
  const chosen = (...offered: string[]) => {
    const protocol = chooseProtocol(offered);
    return protocol && [protocol.encoding, protocol.subprotocol];
  };

  it('gives JSON to who asks for nothing, and names nothing in the answer', () => {
    expect(chosen()).toEqual(['json', '']);
  });

  it('gives what is asked for', () => {
    expect(chosen('stentor.v1.msgpack')).toEqual(['msgpack', 'stentor.v1.msgpack']);
    expect(chosen('stentor.v1.json')).toEqual(['json', 'stentor.v1.json']);
  });

  it("gives the first of the client's that it knows", () => {
    expect(chosen('stentor.v2.msgpack', 'stentor.v1.json', 'stentor.v1.msgpack')).toEqual(['json', 'stentor.v1.json']);
  });

  it('refuses a client that knows none of its', () => {
    for (const offered of ['stentor.v2.json', 'graphql-ws', 'STENTOR.V1.JSON', 'stentor.v1', 'constructor']) {
      expect(chosen(offered)).toBeUndefined();
    }
  });

  it('takes no token entry for a protocol, and never echoes it', () => {
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

  it('takes the scheme in any case and trims the token', () => {
    expect(findToken('bearer  x ', [], undefined)).toBe('x');
    expect(findToken('BEARER x', [], undefined)).toBe('x');
  });

  it('is no token where the header has another scheme', () => {
    expect(findToken('Basic dXNlcjpwYXNz', [], undefined)).toBeUndefined();
    expect(findToken('Bearerx', [], undefined)).toBeUndefined();
  });

  it('is a token, though an empty one, where one was announced: it is refused, not taken for anonymous', () => {
    expect(findToken('Bearer ', [], undefined)).toBe('');
    expect(findToken('', ['bearer.'], undefined)).toBe('');
  });
});
