/** What one attacker does. */
export interface AttackSettings {
  /** Absent: an anonymous client of a public namespace. */
  readonly token?: string;
  /** Of one connection after the other. */
  readonly ports: readonly number[];
  /** Its address; by default that of everybody else here. */
  readonly localAddress?: string;
  /** Sent by every connection as soon as it is open. `{number}` in them is another one in each message. */
  readonly commands: readonly object[];
  /** They are sent one after the other, so far apart, again and again. Absent: all at once. */
  readonly everyMs?: number;
  /** False: nothing that the server sends is ever read. */
  readonly reads: boolean;
  readonly seconds: number;
  /** It ends each connection after so long, and opens the next; by default when the server ends it. */
  readonly againAfterMs?: number;
  /** Connections at the same time. */
  readonly atOnce: number;
}

export interface AttackReport {
  connections: number;
  bytesOut: number;
  bytesIn: number;
  largestFrameBytes: number;
  closeCodes: Record<string, number>;
  errors: Record<string, number>;
}
