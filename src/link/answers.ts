import type { Missed } from '../recent/missed.ts';
import type { LinkItem } from './publication-message.ts';

export interface HistoryAnswer {
  readonly epoch: string;
  /** The log has been read up to this offset for this topic. Later publications come live, or by another read. */
  readonly offset: number;
  /** Nothing between the requested position and `offset` is missing from `items` (only the latest per key, in keyed topics). */
  readonly complete: boolean;
  readonly more: boolean;
  readonly items: readonly LinkItem[];
  /** For the last publications: the offset of the last one. For what lies between two times: where it ends. */
  readonly lastOffset?: number;
}

/** Recent publications of a topic, for all clients that reconnect to it. */
export type RecoveryAnswer = Missed<LinkItem>;

/** What became of a call of a client: its result, as one MessagePack value, or an error of the client's handler or of the worker. */
export type CalledOutcome =
  | { readonly kind: 'result'; readonly data: Uint8Array }
  | { readonly kind: 'error'; readonly code: string; readonly message: string };
