import type { Encoding } from '../protocol/codec.ts';

/** Between `stentor bench` and its processes of clients. */

export interface ClientsSettings {
  readonly url: string;
  readonly token?: string | undefined;
  readonly encoding: Encoding;
  readonly topic: string;
  readonly count: number;
  /** Number of this run, in every stamp: other runs on the topic are not counted. */
  readonly run: number;
  readonly payloadBytes: number;
  /** Connections that are being opened at the same time. */
  readonly opensInFlightMax: number;
}

export interface OpenReport {
  /** Connections that are subscribed. */
  readonly ready: number;
  /** Why the first one was refused; empty: none was. */
  readonly refusal: string;
}

export interface Tally {
  readonly delivered: number;
  readonly repeated: number;
  /** Publications that a client did not get, while it got a later one. */
  readonly skipped: number;
  /** Clients that have not got the last publication. */
  readonly behind: number;
  readonly closed: number;
  readonly refusal: string;
  /** Latencies: number of values up to `upToMs`. */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[];
  readonly maxMs: number;
}

export type ToClients = { readonly kind: 'open'; readonly settings: ClientsSettings } | { readonly kind: 'tally'; readonly sent: number };

export type FromClients =
  | ({ readonly kind: 'opened' } & OpenReport)
  /** With the CPU time of the process since `opened`. */
  | { readonly kind: 'tallied'; readonly tally: Tally; readonly cpuMs: number };
