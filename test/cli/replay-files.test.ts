import { describe, expect, it } from 'vitest';
import { parseCsvRecord, readCsv } from '../../src/cli/replay/csv.ts';
import { LINE_CHARACTERS_MAX, type Line, readLines } from '../../src/cli/replay/lines.ts';
import { readNdjson } from '../../src/cli/replay/ndjson.ts';
import { planRecord } from '../../src/cli/replay/records.ts';
import { parseKey } from '../../src/protocol/topic.ts';

async function* chunks(...texts: string[]): AsyncGenerator<string, void> {
  yield* texts;
}

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of from) items.push(item);
  return items;
}

const csv = (...texts: string[]) => all(readCsv(readLines(chunks(...texts))));
const ndjson = (...texts: string[]) => all(readNdjson(readLines(chunks(...texts))));

describe('readLines', () => {
  const texts = async (...parts: string[]) => (await all(readLines(chunks(...parts)))).map((line: Line) => line.text);

  it('splits at LF and CRLF, wherever chunks are cut, with or without an end of the last line', async () => {
    expect(await texts('a\nb\r\nc')).toEqual(['a', 'b', 'c']);
    expect(await texts('a', '\nb\r', '\nc', 'd\n')).toEqual(['a', 'b', 'cd']);
    expect(await texts('')).toEqual([]);
    expect(await texts('\n\n')).toEqual(['', '']);
  });

  it('drops a byte order mark, at the beginning only', async () => {
    expect(await texts('\uFEFFa\n', '\uFEFFb')).toEqual(['a', '\uFEFFb']);
  });

  it('refuses a line past its bound without keeping it, and counts on', async () => {
    const lines = await all(readLines(chunks('ab\n', 'xxxx', 'xxxx', 'xxxx\ncd\n12345\n123456'), 5));
    expect(lines).toEqual([
      { text: 'ab', lineNumber: 1, tooLong: false },
      { text: '', lineNumber: 2, tooLong: true },
      { text: 'cd', lineNumber: 3, tooLong: false },
      { text: '12345', lineNumber: 4, tooLong: false },
      { text: '', lineNumber: 5, tooLong: true },
    ]);
  });
});

describe('parseCsvRecord', () => {
  it('converts unquoted numbers to numbers, except those that would lose digits', () => {
    expect(parseCsvRecord('1,-2.50,1e3,0,0.5')).toEqual([1, -2.5, 1000, 0, 0.5]);
    expect(parseCsvRecord('007,1.,.5,1e999,12345678901234567890,20200101 170000065,abc')).toEqual([
      '007',
      '1.',
      '.5',
      '1e999',
      '12345678901234567890',
      '20200101 170000065',
      'abc',
    ]);
  });

  it('keeps quoted cells as text, and distinguishes an empty cell from an empty text', () => {
    expect(parseCsvRecord('"1","a,b","say ""hi""",,""')).toEqual(['1', 'a,b', 'say "hi"', null, '']);
  });

  it('refuses invalid quotes', () => {
    expect(parseCsvRecord('"a')).toBeUndefined();
    expect(parseCsvRecord('"a"b,c')).toBeUndefined();
  });
});

describe('readCsv', () => {
  it('makes one record a line, named by the header', async () => {
    expect(await csv('time_utc,bid,ask\n20200101 170000065,1.121200,1.121720\n\n20200101 170010447,1.1,\n')).toEqual([
      { lineNumber: 2, value: { time_utc: '20200101 170000065', bid: 1.1212, ask: 1.12172 } },
      { lineNumber: 4, value: { time_utc: '20200101 170010447', bid: 1.1, ask: null } },
    ]);
  });

  it('joins the lines of a quoted cell, and keeps counting lines', async () => {
    expect(await csv('a,b\n1,"x\ny"\n', '2,z\n')).toEqual([
      { lineNumber: 2, value: { a: 1, b: 'x\ny' } },
      { lineNumber: 4, value: { a: 2, b: 'z' } },
    ]);
  });

  it('reports invalid lines, and continues', async () => {
    expect(await csv('a,b\n1\n1,2,3\n"x"y,1\n1,2\n')).toEqual([
      { lineNumber: 2, problem: '1 cells, the header has 2' },
      { lineNumber: 3, problem: '3 cells, the header has 2' },
      { lineNumber: 4, problem: expect.stringContaining('not a CSV record') },
      { lineNumber: 5, value: { a: 1, b: 2 } },
    ]);
  });

  it('gives up on a quote that is never closed after a limited length', async () => {
    const long = `${'x'.repeat(1024)}\n`;
    const records = await csv('a\n"', ...Array.from({ length: LINE_CHARACTERS_MAX / 1024 }, () => long), 'z\n');
    expect(records[0]).toEqual({ lineNumber: 2, problem: 'the record is too long' });
    expect(records.at(-1)).toMatchObject({ value: { a: 'z' } });
    expect(await csv('a\n"x\ny')).toEqual([{ lineNumber: 2, problem: expect.stringContaining('not a CSV record') }]);
  });

  it('accepts a field named __proto__', async () => {
    const [record] = await csv('__proto__,a\n1,2\n');
    expect(JSON.stringify(record)).toBe('{"lineNumber":2,"value":{"__proto__":1,"a":2}}');
  });

  it('has nothing to say about an empty file', async () => {
    expect(await csv('')).toEqual([]);
    expect(await csv('a,b\n')).toEqual([]);
  });
});

describe('readNdjson', () => {
  it('makes one record a line, skips empty lines and names bad ones', async () => {
    expect(await ndjson('{"a":1}\n\n[2]\r\n{"a":\n"x"')).toEqual([
      { lineNumber: 1, value: { a: 1 }, json: '{"a":1}' },
      { lineNumber: 3, value: [2], json: '[2]' },
      { lineNumber: 4, problem: 'not valid JSON' },
      { lineNumber: 5, value: 'x', json: '"x"' },
    ]);
  });

  it('keeps every digit of published values, keys and times', async () => {
    const line = '{"orderId":8389765929445198309,"at":1767000000000000001,"wide":18446744073709551616}';
    const [record] = await ndjson(`${line}\n`);
    expect(record && planRecord(record, { timeField: 'at', key: null, keyField: 'orderId' })).toEqual({
      lineNumber: 1,
      json: line,
      key: '8389765929445198309',
      timeMs: Number('1767000000000000001'),
    });
  });

  it('names a line that is too long', async () => {
    expect(await ndjson('x'.repeat(LINE_CHARACTERS_MAX + 1))).toEqual([{ lineNumber: 1, problem: 'the line is too long' }]);
  });
});

describe('planRecord', () => {
  const plan = { timeField: undefined, key: null, keyField: undefined };

  it('reads time and key from their fields', () => {
    const value = { at: '1970-01-01T00:00:01Z', symbol: 'AAPL', bid: 1 };
    expect(planRecord({ lineNumber: 3, value }, { timeField: 'at', key: null, keyField: 'symbol' })).toEqual({
      lineNumber: 3,
      json: JSON.stringify(value),
      key: 'AAPL',
      timeMs: 1000,
    });
  });

  it('gives every record the key from the command line, and accepts a number as a key', () => {
    expect(planRecord({ lineNumber: 1, value: 5 }, { ...plan, key: parseKey('k') })).toMatchObject({
      key: 'k',
      json: '5',
      timeMs: undefined,
    });
    expect(planRecord({ lineNumber: 1, value: { id: 42 } }, { ...plan, keyField: 'id' })).toMatchObject({ key: '42' });
  });

  it.each([[{}], [{ at: 'soon' }], [{ at: null }], [7], [null], [[1]]])('finds no time in %j', (value) => {
    expect(planRecord({ lineNumber: 1, value }, { ...plan, timeField: 'at' })).toEqual({ lineNumber: 1, problem: 'no time in at' });
  });

  it.each([[{}], [{ symbol: 'a\nb' }], [{ symbol: '' }], [{ symbol: { x: 1 } }], ['AAPL']])('finds no key in %j', (value) => {
    expect(planRecord({ lineNumber: 1, value }, { ...plan, keyField: 'symbol' })).toEqual({ lineNumber: 1, problem: 'no key in symbol' });
  });

  it('passes on earlier problems', () => {
    expect(planRecord({ lineNumber: 9, problem: 'p' }, plan)).toEqual({ lineNumber: 9, problem: 'p' });
  });
});
