import type { RecentItem } from './item-form.ts';
import type { Latest } from './latest.ts';
import type { Ring } from './ring.ts';

/** What a process has of a topic in one epoch of its log. */
export interface Holdings<T extends RecentItem> {
  readonly ring: Ring<T> | undefined;
  /** The state, if it can replace what was missed: for a durable topic with keys or a document. */
  readonly state: Latest<T> | undefined;
  /** The topic's offset as this process knows it. */
  readonly headOffset: number;
}

/** Where everything of a topic after an offset can be found. */
export type Whereabouts =
  /** All of it, in the ring. */
  | { readonly kind: 'ring'; readonly sequence: number }
  /** The latest of every key that changed, or the document, which is enough to continue. */
  | { readonly kind: 'state' }
  /** This process has not reached the offset yet. */
  | { readonly kind: 'ahead' }
  /** Only the log can tell. */
  | { readonly kind: 'evicted' };

const STATE: Whereabouts = { kind: 'state' };
const AHEAD: Whereabouts = { kind: 'ahead' };
const EVICTED: Whereabouts = { kind: 'evicted' };

/** The question of recovery, for hub and worker: is everything after this offset here? */
export function whereIsAfter<T extends RecentItem>({ ring, state, headOffset }: Holdings<T>, offset: number): Whereabouts {
  if (offset > headOffset) return AHEAD;
  const sequence = ring?.sequenceAfter(offset);
  if (sequence !== undefined) return { kind: 'ring', sequence };
  return state !== undefined && offset >= state.completeFrom ? STATE : EVICTED;
}
