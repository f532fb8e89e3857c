import { describe, expect, it } from 'vitest';
import type { ItemRange } from '../../src/fanout/batch.ts';
import { splitByEcho } from '../../src/fanout/echo.ts';
import { toBuffer } from '../../src/protocol/kept-bytes.ts';
import { item } from '../support/fanout-fixtures.ts';

const by = (offset: number, connectionId?: string) => item(offset, connectionId === undefined ? {} : { user: connectionId, connectionId });
const offsets = ({ items }: ItemRange) => items.map(({ offset }) => offset);

/** `a` and `b` want no echo, `c` does. */
function split(conflated: number, ...items: ReturnType<typeof by>[]) {
  return splitByEcho(items, { items, prev: 10, conflated }, ({ connectionId }) => connectionId === 'a' || connectionId === 'b').map(
    ({ range, except }) => ({
      offsets: offsets(range),
      prev: range.prev,
      conflated: range.conflated,
      except,
    }),
  );
}

describe('a range into which members without echo have published', () => {
  it('is one run while at most one of them is in it', () => {
    expect(split(0, by(11), by(12, 'a'), by(13, 'c'), by(14, 'a'))).toEqual([
      { offsets: [11, 12, 13, 14], prev: 10, conflated: 0, except: 'a' },
    ]);
    expect(split(0, by(11), by(12, 'c'))).toEqual([{ offsets: [11, 12], prev: 10, conflated: 0, except: undefined }]);
  });

  it('is split where another one begins, and each part continues the one before', () => {
    expect(split(0, by(11, 'a'), by(13), by(14, 'b'), by(17, 'a'))).toEqual([
      { offsets: [11, 13], prev: 10, conflated: 0, except: 'a' },
      { offsets: [14], prev: 13, conflated: 0, except: 'b' },
      { offsets: [17], prev: 14, conflated: 0, except: 'a' },
    ]);
  });

  it('has the conflated count once, in its first part', () => {
    expect(split(5, by(11, 'a'), by(14, 'b'), by(17, 'a')).map(({ conflated }) => conflated)).toEqual([5, 0, 0]);
  });

  it('covers the offsets that it leaves out, for the publisher', () => {
    const items = [by(11, 'a'), by(12), by(13, 'a')];
    const [run] = splitByEcho(items, { items, prev: 10, conflated: 2 }, () => true);
    expect(run?.own).toMatchObject({ prev: 10, conflated: 2 });
    expect(run?.own?.items.map((each) => toBuffer(each.encoded('json')).toString())).toEqual([
      '[11]',
      toBuffer(items[1]!.encoded('json')).toString(),
      '[13]',
    ]);
  });
});
