import fc from 'fast-check';
import { parse as parseLossless } from 'lossless-json';
import { describe, expect, it } from 'vitest';
import { isInexact, quoteInexactNumbers } from '../../src/hub/json-numbers.ts';

const quoted = (text: string) => Buffer.from(quoteInexactNumbers(Buffer.from(text))).toString();

/** Another way to decide: both as fractions of integers. */
function isInexactSlowly(text: string): boolean {
  const [mantissa = '', exponent] = text.toLowerCase().split('e');
  const [, fraction] = mantissa.split('.');
  if (fraction === undefined && exponent === undefined) return !Number.isSafeInteger(Number(text));
  const value = Number(text);
  if (fraction?.endsWith('0') || !Number.isFinite(value)) return true;
  const [a, b] = [fractionOf(text), fractionOf(`${value}`)];
  return a.top * b.bottom !== b.top * a.bottom;
}

function fractionOf(text: string): { readonly top: bigint; readonly bottom: bigint } {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const power = Number(exponent) - fraction.length;
  const digits = BigInt(`${whole}${fraction}`);
  return power >= 0 ? { top: digits * 10n ** BigInt(power), bottom: 1n } : { top: digits, bottom: 10n ** BigInt(-power) };
}

const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${maxLength}}$`));
const whole = fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,21}$/));
const number = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole,
    fraction: fc.option(digits(20), { nil: undefined }),
    exponent: fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), digits(3)), { nil: undefined }),
  })
  .map(
    ({ sign, whole, fraction, exponent }) => `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent?.join('') ?? ''}`,
  );
const numbers = fc.oneof(
  number,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => `${value}`),
  fc.constantFrom('0.10', '1.0', '-0', '0e5', '0.0', '1e400', '1e-400', '1e3', '5e-324', '9007199254740992', '9007199254740991', '0.1'),
);
const space = fc.stringMatching(/^[ \n\r\t]{0,2}$/);
const json: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    numbers,
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true', '"1.0"', '"\\\\"', '"\\"1.0\\""'),
    fc.tuple(fc.array(tie('value'), { maxLength: 4 }), space).map(([all, gap]) => `[${all.join(`${gap},${gap}`)}]`),
    fc
      .tuple(fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }), space)
      .map(([all, gap]) => `{${all.map(([name, value]) => `${JSON.stringify(name)}${gap}:${gap}${value}`).join(',')}}`),
  ),
})).value;

describe('numbers that a double would change', () => {
  it.each([
    ['0.10', true],
    ['1.0', true],
    ['-0.0', true],
    ['2.50e2', true],
    ['0.1234567890123456789', true],
    ['9007199254740992', true],
    ['1e400', true],
    ['1e-400', true],
    ['0.1', false],
    ['-0', false],
    ['100', false],
    ['1e3', false],
    ['1E+2', false],
    ['0e5', false],
    ['0.30000000000000004', false],
    ['9007199254740991', false],
    ['5e-324', false],
    ['1.7976931348623157e308', false],
    [`0.${'0'.repeat(70_000)}1`, true],
  ])('%s: %s', (text, expected) => expect(isInexact(text)).toBe(expected));

  it('are those that differ as fractions, or end in 0', () => {
    fc.assert(
      fc.property(numbers, (text) => {
        expect([text, isInexact(text)]).toEqual([text, isInexactSlowly(text)]);
      }),
      { numRuns: 2000 },
    );
  });

  it('become text in any JSON, and nothing else changes', () => {
    const asText = (text: string) => (isInexactSlowly(text) ? text : Number(text));
    fc.assert(
      fc.property(json, (text) => {
        const onDuplicateKey = ({ newValue }: { newValue: unknown }) => newValue;
        expect(JSON.parse(quoted(text))).toEqual(parseLossless(text, undefined, { parseNumber: asText, onDuplicateKey }));
      }),
      { numRuns: 2000 },
    );
  });

  it('do not make JSON of what is not', () => {
    const refuses = (text: string) => {
      try {
        JSON.parse(text);
        return false;
      } catch {
        return true;
      }
    };
    for (const text of ['{1.0:1}', '{1.0 :1}', '1.0 2.0', '[1.0x]', '1.0.0', '01.0', '-', '"1.0', '"1.0\\', '[1.0"a"]', '1.0e', '+1.0']) {
      expect([text, refuses(quoted(text))]).toEqual([text, true]);
    }
    fc.assert(
      fc.property(fc.stringMatching(/^[-+0-9.eE"{}[\]:, \\a]{0,20}$/), (text) => {
        expect(refuses(quoted(text))).toBe(refuses(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('cost no copy where there are none', () => {
    const bytes = Buffer.from('{"bid":1.0831,"ask":1.0833,"n":17,"text":"1.0"}');
    expect(quoteInexactNumbers(bytes)).toBe(bytes);
  });
});
