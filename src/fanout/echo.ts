import type { Stretch } from './batch.ts';
import type { EncodedItem } from './frame.ts';
import type { FanoutItem } from './item.ts';

/** A part of a stretch in which at most one member is not to get something. */
export interface EchoRun {
  readonly stretch: Stretch;
  /** The connection that gets `own` instead of the stretch. */
  readonly except: string | undefined;
  readonly own: Stretch | undefined;
}

/**
 * Cuts a stretch where members with `echo: false` published into it, so that native publish, which can leave out one socket a call, serves all others
 * with one frame. The one left out gets the same stretch with its own items as `[offset]`: the place is covered, so its `prev` chain holds.
 *
 * @param leavesOut is this connection a member of the shard that wants no echo?
 */
export function splitByEcho(
  items: readonly FanoutItem[],
  { prev, conflated }: Stretch,
  leavesOut: (connectionId: string) => boolean,
): EchoRun[] {
  const runs: EchoRun[] = [];
  let run: FanoutItem[] = [];
  let except: string | undefined;
  let runPrev = prev;
  const end = () => {
    if (run.length === 0) return;
    const first = runs.length === 0 ? conflated : 0;
    const stretch = { items: run, prev: runPrev, conflated: first };
    runs.push({ stretch, except, own: except === undefined ? undefined : { ...stretch, items: withoutOwn(run, except) } });
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

/** The items as the connection that published some of them gets them, when it wants no echo. */
export function withoutOwn(items: readonly FanoutItem[], connectionId: string): EncodedItem[] {
  // Without offsets (ephemeral topics) there is no place to cover.
  return items.flatMap((item) => (item.connectionId !== connectionId ? [item] : item.offset === 0 ? [] : [coveredPlace(item.offset)]));
}

/** A place with nothing to deliver: whoever gets it has everything up to there. */
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
