export type FrameFlood = 'pongs' | 'pings' | 'emptyTexts' | 'emptyFragments' | 'fragments';

/** One anonymous socket after the other that sends small frames as fast as it is taken. */
export interface FramesSettings {
  readonly port: number;
  readonly frames: FrameFlood;
  readonly seconds: number;
  /** A new one as soon as the last has been told to go; the old one goes on sending until it is cut. */
  readonly again: boolean;
}

export interface FramesReport {
  connections: number;
  bytesOut: number;
  closeCodes: Record<string, number>;
  /** The longest time from a close frame to the end of the connection; 0: none ended. */
  cutAfterMs: number;
}

/** Connections that call a method that no service answers. */
export interface CallsSettings {
  readonly port: number;
  readonly token: string;
  readonly method: string;
  readonly connections: number;
  /** Of one call. */
  readonly bytes: number;
  /** One text, or lists that are empty: 60 KB of those are 20,000 objects where they are decoded. */
  readonly data: 'text' | 'lists';
  readonly timeoutMs: number;
  /** Of each connection. */
  readonly callsPerSecond: number;
  readonly seconds: number;
}

export interface CallsReport {
  calls: number;
  answers: Record<string, number>;
  closeCodes: Record<string, number>;
}

/** Requests that never end. A connection that is cut is opened again immediately. */
export interface HalfOpenSettings {
  readonly port: number;
  readonly count: number;
  /** They come from these addresses in turn. */
  readonly addresses: readonly string[];
  /** One more byte this often; 0: none. */
  readonly trickleMs: number;
}

export interface HalfOpenReport {
  open: number;
  opened: number;
  /** Not connected, or cut at once. */
  refused: number;
}

/** HTTP requests to the clients' port. */
export interface RequestsSettings {
  readonly port: number;
  /** By default that of everybody else here. */
  readonly localAddress?: string;
  /** All that is sent on a connection. `{number}` is another one of eight digits each time. */
  readonly text: string;
  /** False: nothing of the answer is read. */
  readonly reads: boolean;
  /** The connection is cut when the first bytes of the answer are there. */
  readonly endsEarly: boolean;
  /** At the same time. */
  readonly connections: number;
  readonly seconds: number;
}

export interface RequestsReport {
  requests: number;
  bytesIn: number;
  /** By HTTP status; `none`: there was no answer, or it was not read. */
  statuses: Record<string, number>;
}
