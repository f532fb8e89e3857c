import type { ItemRange } from './batch.ts';
import type { EncodedItem } from './frame.ts';
import type { FanoutItem } from './item.ts';

/** A part of a range in which at most one member is left out. */
export interface EchoRun {
  readonly range: ItemRange;
  /** The connection that gets `own` instead of the range. */
  readonly except: string | undefined;
  readonly own: ItemRange | undefined;
}

/**
 * Splits a range where members published into it that do not get what they published: their subscription has `echo: false`, or the publication has. Native
 * publish can leave out one socket per call, so it serves all other members with one frame. The member that is left out gets the same range with its own items
 * as `[offset]`: the offset is covered, so its `prev` chain stays valid.
 *
 * @param leavesOut whether the connection that published it is a member of the shard, and does not get it
 */
export function splitByEcho(
  items: readonly FanoutItem[],
  { prev, conflated }: ItemRange,
  leavesOut: (item: FanoutItem) => boolean,
): EchoRun[] {
  const runs: EchoRun[] = [];
  let run: FanoutItem[] = [];
  let except: string | undefined;
  let runPrev = prev;
  const end = () => {
    if (run.length === 0) return;
    const first = runs.length === 0 ? conflated : 0;
    const range = { items: run, prev: runPrev, conflated: first };
    runs.push({ range, except, own: except === undefined ? undefined : { ...range, items: withoutOwn(run, except, leavesOut) } });
    runPrev = (run[run.length - 1] as FanoutItem).offset;
    run = [];
    except = undefined;
  };
  for (const item of items) {
    const origin = item.connectionId !== undefined && leavesOut(item) ? item.connectionId : undefined;
    if (origin !== undefined && except !== undefined && origin !== except) end();
    except ??= origin;
    run.push(item);
  }
  end();
  return runs;
}

/** The items for the connection that published some of them. @param leavesOut asked for each of these: whether the connection does not get it */
export function withoutOwn(
  items: readonly FanoutItem[],
  connectionId: string,
  leavesOut: (item: FanoutItem) => boolean,
): readonly EncodedItem[] {
  const isOwn = (item: FanoutItem) => item.connectionId === connectionId && leavesOut(item);
  // Nearly always: without a copy.
  if (!items.some(isOwn)) return items;
  return items.flatMap((item) => {
    if (!isOwn(item)) return [item];
    // Without offsets (ephemeral topics) there is nothing to cover.
    return item.offset === 0 ? [] : [coveredPlace(item.offset)];
  });
}

/** An offset with nothing to deliver: the receiver has everything up to there. */
export function coveredPlace(offset: number): EncodedItem {
  const place: EncodedItem = {
    offset,
    encoded: (encoding) => (encoding === 'json' ? Buffer.from(`[${offset}]`) : msgpackPlace(offset)),
    timed: () => place,
  };
  return place;
}

function msgpackPlace(offset: number): Uint8Array {
  const bytes = Buffer.alloc(10);
  bytes[0] = 0x91;
  bytes[1] = 0xcf;
  bytes.writeBigUInt64BE(BigInt(offset), 2);
  return bytes;
}
