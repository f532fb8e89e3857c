import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { type DocumentForm, type ItemForm, slotOf } from '../recent/item-form.ts';
import { FanoutItem } from './item.ts';

/** The items of document topics in a worker. One that stands for several has the offset, and the times, of the last of them, and no origin. */
const DOCUMENT_FORM: DocumentForm<FanoutItem> = {
  isPatch: ({ isPatch }) => isPatch,

  changeOf(item) {
    if (item.removed) return { kind: 'document', document: undefined };
    const value = unpackMsgpack(item.data);
    if (!item.isPatch) return { kind: 'document', document: value };
    const { first } = item;
    return first === undefined ? { kind: 'pair', patch: value } : { kind: 'pair', first: unpackMsgpack(first), patch: value };
  },

  wholeItem({ offset, key, publishedAtMs, eventAtMs }, document) {
    const data = packMsgpack(document === undefined ? null : document);
    return new FanoutItem({ offset, key, publishedAtMs, eventAtMs, data, ...(document === undefined && { removed: true }) });
  },

  pairItem({ offset, key, publishedAtMs, eventAtMs }, { first, patch }) {
    const deletions = first === undefined ? undefined : packMsgpack(first);
    return new FanoutItem({ offset, key, publishedAtMs, eventAtMs, data: packMsgpack(patch), patch: true, first: deletions });
  },
};

/** How a worker measures and reads the items of the recent past. */
export const FANOUT_ITEM_FORM: ItemForm<FanoutItem> = {
  bytesOf: (item) => item.bytes,
  wireBytesOf: (item) => item.wireBytes,
  slotOf: ({ topic, key }) => slotOf(topic, key),
  documents: DOCUMENT_FORM,
};
