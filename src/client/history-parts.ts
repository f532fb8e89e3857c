import type { ServerMessage } from '../protocol/messages.ts';

type History = ServerMessage<'history'>;

/**
 * One answer out of the parts of a `history` and what ended it. Parts that came are good whatever came after them: where the log changed midway, or the rest could
 * not be had, the answer ends with the last good part, and says so.
 */
export function joinHistory(parts: readonly History[], end: History | ServerMessage<'error'>): History | ServerMessage<'error'> {
  const last = parts.at(-1);
  if (last === undefined) return end;
  const items = parts.flatMap((part) => part.items);
  const { continues, ...part } = last;
  if (end.type === 'error') return { ...part, items, more: true };
  if (end.epoch !== last.epoch) return { ...part, items, complete: false, more: false };
  return { ...end, items: [...items, ...end.items] };
}
