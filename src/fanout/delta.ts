import { difference } from '../document/difference.ts';
import { Fold } from '../document/fold.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import type { Ring } from '../recent/ring.ts';
import type { FanoutItem } from './item.ts';
import { FANOUT_ITEM_FORM } from './item-form.ts';

/** For all members of a topic that follow what changes of its values: made once for each publication, and once for each range of a rate class. */
export class Deltas {
  /** The last value that was decoded: in a topic without keys that is always the one before the next. */
  #decoded: { readonly item: FanoutItem; readonly value: unknown } | undefined;
  /** What was last composed. Both encodings of a rate class want the same. */
  #composed: { readonly from: number; readonly to: number; readonly items: readonly FanoutItem[] } | undefined;

  /**
   * What changed from the value before (of the same key) to this one. Undefined: it takes the whole value, because no patch leads there, or because the patch
   * is no smaller.
   */
  of(before: FanoutItem | undefined, item: FanoutItem): FanoutItem | undefined {
    const old = before === undefined || before.removed ? undefined : this.#valueOf(before);
    const value = item.removed ? undefined : unpackMsgpack(item.data);
    this.#decoded = { item, value };
    const patch = difference(old, value);
    const delta = patch && item.withPatch(packMsgpack(patch));
    return delta !== undefined && delta.wireBytes < item.wireBytes ? delta : undefined;
  }

  /**
   * The latest items of a range, each as what changed in the range: its differences composed, one after the other. The ends are not compared: a member may have
   * some of the range already, and what changed and changed back since must reach it.
   *
   * @param items the latest of every key that changed from `from` on
   */
  since(items: readonly FanoutItem[], from: number, ring: Ring<FanoutItem>): readonly FanoutItem[] {
    // Some of the range has been evicted.
    if (from < ring.first) return items;
    if (this.#composed?.from === from && this.#composed.to === ring.next) return this.#composed.items;
    const all = new Map<string | null, FanoutItem[]>();
    for (let sequence = from; sequence < ring.next; sequence++) {
      const item = ring.at(sequence);
      const slot = FANOUT_ITEM_FORM.slotOf(item);
      const known = all.get(slot);
      if (known === undefined) all.set(slot, [item]);
      else known.push(item);
    }
    const composed = items.map((item) => composedOf(all.get(FANOUT_ITEM_FORM.slotOf(item)) ?? [item]));
    this.#composed = { from, to: ring.next, items: composed };
    return composed;
  }

  #valueOf(item: FanoutItem): unknown {
    return this.#decoded?.item === item ? this.#decoded.value : unpackMsgpack(item.data);
  }
}

/** Publications of one key as one, that of the last. */
function composedOf(publications: readonly FanoutItem[]): FanoutItem {
  const last = publications.at(-1) as FanoutItem;
  if (publications.length === 1) return last.delta ?? last;
  const fold = Fold.ofChanges();
  for (const { delta } of publications) {
    if (delta === undefined) return last;
    fold.patch(unpackMsgpack(delta.data));
  }
  const { first, patch } = fold.pairOfChanges();
  const item = last.withPatch(packMsgpack(patch), first === undefined ? undefined : packMsgpack(first));
  return item.wireBytes < last.wireBytes ? item : last;
}
