import type { ServerMessage } from '../protocol/messages.ts';

type History = ServerMessage<'history'>;

/**
 * Joins the parts of a `history` and its end to one answer. Parts that arrived are valid whatever follows them: if the log changed in between, or the rest was
 * not available, the answer ends with the last valid part, and says so.
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
