import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonCodec, parseJson } from '../../src/protocol/json-codec.ts';
import { stringifyJson } from '../../src/protocol/json-writer.ts';
import { jsonData, msgpackData } from '../support/arbitrary.ts';

const parsed = (text: string) => parseJson(Buffer.from(text));
const outcome = (parse: () => unknown) => {
  try {
    return { value: parse() };
  } catch {
    return 'refused';
  }
};

describe('numbers in JSON', () => {
  it.each<[string, unknown]>([
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['8389765929445198309', 8389765929445198309n],
    ['9223372036854775808', 9223372036854775808n],
    ['-9223372036854775808', -9223372036854775808n],
    ['18446744073709551615', 18446744073709551615n],
    ['18446744073709551616', '18446744073709551616'],
    ['-9223372036854775809', '-9223372036854775809'],
    ['1'.repeat(60_000), '1'.repeat(60_000)],
    ['1000000000000000000', 1000000000000000000n],
    ['-0', -0],
  ])('keep their digits: %s', (text, value) => {
    expect(parsed(text)).toEqual(value);
    expect(parsed(`{"a":[${text}, ${text}\n,${text}]}`)).toEqual({ a: [value, value, value] });
  });

  it.each([
    ['1e20', 1e20],
    ['8389765929445198309.0', 8389765929445198000],
    ['8389765929445198309e0', 8389765929445198000],
    ['0.30000000000000004', 0.1 + 0.2],
    ['1e99', 1e99],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
    ['1e-400', 0],
    ['0e400', 0],
  ])('are doubles with a fraction or an exponent: %s', (text, value) => {
    expect(parsed(text)).toBe(value);
    expect(parsed(`[9007199254740993,${text}]`)).toEqual([9007199254740993n, value]);
  });

  it.each(['1e400', '-1E+400', '1.5e309', '123456789012345e295', '1e1234567890123456', `${'1'.repeat(310)}.5`, `1${'0'.repeat(20)}e290`])(
    'are text as it was written beyond the range of doubles: %s',
    (text) => {
      expect(parsed(text)).toBe(text);
      expect(parsed(`{"a":[${text} , ${text}\n,${text}],"b":{"c":${text}}}`)).toEqual({ a: [text, text, text], b: { c: text } });
    },
  );

  it('are never infinite', () => {
    const digits = fc.stringMatching(/^[0-9]{1,20}$/);
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.stringMatching(/^[1-9][0-9]{0,30}$/),
        fc.option(digits),
        fc.constantFrom('e', 'E', 'e+', 'E+'),
        fc.nat(400),
      )
      .map(([sign, whole, fraction, e, exponent]) => `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${e}${exponent}`);
    fc.assert(
      fc.property(number, (text) => {
        const value = Number(text);
        expect(parsed(`[${text}]`)).toEqual([Number.isFinite(value) ? value : text]);
      }),
      { numRuns: 2000 },
    );
  });

  it('change nothing else: beside one, every text is read or refused as JSON.parse does', () => {
    const pieces = fc.oneof(
      fc.constantFrom(
        ...'{}[]:,"\\ \t\n-+.eE0123',
        'true',
        'null',
        '"a"',
        '"a":',
        '"\\u00e9"',
        '"\\ud83d\\ude00"',
        '"__proto__":',
        '01',
        '1.',
        '"\\x"',
        '\u00a0',
        '"\n"',
      ),
      jsonData().map((value) => JSON.stringify(value)),
    );
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 6 }).map((parts) => parts.join('')),
      jsonData().map((value) => JSON.stringify(value, undefined, 1)),
    );
    fc.assert(
      fc.property(text, (inner) => {
        const withLong = outcome(() => parsed(`[9007199254740993,${inner}]`));
        const plain = outcome(() => parsed(`[0,${inner}]`));
        const rest = (plain as { value?: unknown[] }).value?.slice(1);
        expect(withLong).toEqual(rest === undefined ? 'refused' : { value: [9007199254740993n, ...rest] });
      }),
      { numRuns: 5000 },
    );
  });

  it('leave equal keys to the last, and a key __proto__ a key', () => {
    const value = parsed('{"id":9007199254740993,"a":{"x":1},"a":2,"a":[3],"__proto__":{"polluted":1},"isLosslessNumber":true}') as Record<
      string,
      unknown
    >;
    expect(Object.entries(value)).toEqual([
      ['id', 9007199254740993n],
      ['a', [3]],
      ['__proto__', { polluted: 1 }],
      ['isLosslessNumber', true],
    ]);
    expect(value.polluted).toBeUndefined();
  });

  it('are written with their digits to the bus and come back, and as text of digits to clients', () => {
    expect(stringifyJson({ a: [2n ** 64n - 1n] }, 'digits')).toBe('{"a":[18446744073709551615]}');
    expect(stringifyJson({ a: [2n ** 64n - 1n] })).toBe('{"a":["18446744073709551615"]}');
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        expect(BigInt(parsed(stringifyJson(value, 'digits')) as bigint | number)).toBe(value);
        expect(parsed(stringifyJson(value))).toBe(`${value}`);
      }),
    );
  });

  it('are not created from doubles, however large', () => {
    for (const value of [2 ** 53, 1e17, 8389765929445198000, -1.2345678901234567e20, 999999999999999900000, 1e21, 1.5e300]) {
      expect(parsed(stringifyJson({ value }))).toEqual({ value });
      expect(JSON.parse(stringifyJson({ value }))).toEqual({ value });
    }
  });
});

describe('the JSON writer', () => {
  it('writes the same as JSON.stringify, except large integers', () => {
    const small = jsonData().filter((value) => !/\d{16}/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(small, (value) => {
        expect(stringifyJson(value)).toBe(JSON.stringify(value));
      }),
    );
    const odd = {
      n: null,
      u: undefined,
      list: [undefined, Number.NaN, Number.NEGATIVE_INFINITY],
      d: new Date(5),
      empty: {},
      none: [],
      zero: -0,
    };
    expect(stringifyJson(odd)).toBe(JSON.stringify(odd));
    expect(stringifyJson(undefined)).toBe('null');
    expect(stringifyJson(JSON.parse('{"__proto__":1,"\\u2028":"\\""}'))).toBe('{"__proto__":1,"\u2028":"\\""}');
  });

  it('writes JSON of every MessagePack value', () => {
    fc.assert(fc.property(msgpackData(), (value) => void JSON.parse(Buffer.from(jsonCodec.encode(value)).toString())));
  });
});
