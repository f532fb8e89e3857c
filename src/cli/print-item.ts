import { stringifyJson } from '../protocol/json-writer.ts';
import type { Item } from '../protocol/messages.ts';

/** One item as a line of JSON; undefined for an item without anything to deliver. */
export function itemAsJson(topic: string, epoch: string, item: Item): string | undefined {
  if (item.length === 1) return undefined;
  const [offset, key, data, meta] = item;
  return stringifyJson({ topic, ...(epoch === '' ? {} : { epoch, offset }), ...(key === null ? {} : { key }), data, ...meta });
}

/** One item as a readable line: topic, offset, key, value. */
export function itemForPeople(topic: string, epoch: string, item: Item): string | undefined {
  if (item.length === 1) return undefined;
  const [offset, key, data, meta] = item;
  const parts = [
    topic,
    epoch === '' ? '' : `#${offset}`,
    key ?? '',
    meta?.removed ? '(removed)' : stringifyJson(data),
    meta?.origin === undefined ? '' : `(from ${meta.origin})`,
    meta?.publishedAtMs === undefined ? '' : `(${new Date(meta.publishedAtMs).toISOString()})`,
  ];
  return parts.filter((part) => part !== '').join('  ');
}
