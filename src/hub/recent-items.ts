import type { LinkItem } from '../link/messages.ts';
import { type ItemForm, slotOf } from '../recent/item-form.ts';

/** Objects around an item's bytes, about. */
const ITEM_OVERHEAD_BYTES = 150;

/** Of a tag, about. */
const TAG_BYTES = 64;

export function bytesOf({ data, key, user, tags }: LinkItem): number {
  const ofTags = tags === undefined ? 0 : TAG_BYTES * Object.keys(tags).length;
  return data.length + (key?.length ?? 0) + (user?.length ?? 0) + ofTags + ITEM_OVERHEAD_BYTES;
}

/** How the hub's recent past measures its items. */
export const LINK_ITEM_FORM: ItemForm<LinkItem> = {
  bytesOf,
  wireBytesOf: ({ data }) => data.length,
  slotOf: ({ topic, key }) => slotOf(topic, key),
};
