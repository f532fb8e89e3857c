import type { NamespaceOptions } from '../../config/schema.ts';
import type { BusCounters } from '../bus.ts';
import type { BusError } from '../bus-error.ts';
import type { Interest } from '../log.ts';
import type { Publication } from '../publication.ts';
import type { Connection } from './connection.ts';
import type { InterestBounds } from './interest-judge.ts';
import type { PublicationReader } from './publication-reader.ts';
import type { Streams } from './streams.ts';

export interface FollowerOptions {
  readonly namespace: string;
  readonly stream: string;
  readonly options: NamespaceOptions;
  /** Undefined: all topics are wanted. */
  readonly interest: Interest | undefined;
  readonly interestBounds: InterestBounds;
  /** A mirror that ends before our position is behind, not rolled back: its origin has what is missing. */
  readonly mayBeBehind: boolean;
  /** Creation time of the stream in the epoch to follow. */
  readonly created: string;
  readonly afterOffset: number;
  readonly requestTimeoutMs: number;
  readonly onPublication: (publication: Publication) => void;
  readonly onBroken: (error: BusError) => void;
  readonly onNotice: (message: string) => void;
  /** It follows, or follows again, and the log is still the same. */
  readonly onLive: () => void;
  /** It has stopped, by itself or on request. */
  readonly onEnded: () => void;
}

export interface FollowerContext {
  readonly connection: Connection;
  readonly streams: Streams;
  readonly reader: PublicationReader;
  readonly counters: BusCounters;
  readonly nowMs: () => number;
}
