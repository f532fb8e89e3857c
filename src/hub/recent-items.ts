import type { LinkItem } from '../link/publication-message.ts';
import { type ItemForm, slotOf } from '../recent/item-form.ts';

/** Objects around an item's bytes, about: `loadtest/profile/hub-memory.ts` measures what all this is worth. */
const ITEM_OVERHEAD_BYTES = 170;
/** Around a text. */
const TEXT_OVERHEAD_BYTES = 32;

/** Of a tag, about. */
const TAG_BYTES = 64;

/** The topic is one of the names that the node remembers. */
export function bytesOf({ data, key, user, connectionId, tags }: LinkItem): number {
  const ofTags = tags === undefined ? 0 : TAG_BYTES * Object.keys(tags).length;
  const ofTexts = bytesOfText(key) + bytesOfText(user) + bytesOfText(connectionId);
  return data.length + ofTexts + ofTags + ITEM_OVERHEAD_BYTES;
}

function bytesOfText(text: string | null | undefined): number {
  return text == null ? 0 : text.length + TEXT_OVERHEAD_BYTES;
}

/** How the hub's recent past measures its items. */
export const LINK_ITEM_FORM: ItemForm<LinkItem> = {
  bytesOf,
  wireBytesOf: ({ data }) => data.length,
  slotOf: ({ topic, key }) => slotOf(topic, key),
};
