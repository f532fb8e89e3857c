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
 * Splits a range where members with `echo: false` published into it. Native publish can leave out one socket per call, so it serves all other members with one
 * frame. The member that is left out gets the same range with its own items as `[offset]`: the offset is covered, so its `prev` chain stays valid.
 *
 * @param leavesOut whether this connection is a member of the shard without echo
 */
export function splitByEcho(
  items: readonly FanoutItem[],
  { prev, conflated }: ItemRange,
  leavesOut: (connectionId: string) => boolean,
): EchoRun[] {
  const runs: EchoRun[] = [];
  let run: FanoutItem[] = [];
  let except: string | undefined;
  let runPrev = prev;
  const end = () => {
    if (run.length === 0) return;
    const first = runs.length === 0 ? conflated : 0;
    const range = { items: run, prev: runPrev, conflated: first };
    runs.push({ range, except, own: except === undefined ? undefined : { ...range, items: withoutOwn(run, except) } });
    runPrev = (run[run.length - 1] as FanoutItem).offset;
    run = [];
    except = undefined;
  };
  for (const item of items) {
    const origin = item.connectionId !== undefined && leavesOut(item.connectionId) ? item.connectionId : undefined;
    if (origin !== undefined && except !== undefined && origin !== except) end();
    except ??= origin;
    run.push(item);
  }
  end();
  return runs;
}

/** The items for the connection that published some of them and wants no echo. */
export function withoutOwn(items: readonly FanoutItem[], connectionId: string): EncodedItem[] {
  // Without offsets (ephemeral topics) there is nothing to cover.
  return items.flatMap((item) => (item.connectionId !== connectionId ? [item] : item.offset === 0 ? [] : [coveredPlace(item.offset)]));
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
