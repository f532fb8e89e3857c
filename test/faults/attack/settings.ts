/** What one attacker does: an anonymous client of a public namespace. */
export interface AttackSettings {
  readonly port: number;
  /** Sent by every connection as soon as it is open. */
  readonly commands: readonly object[];
  /** False: nothing that the server sends is ever read. */
  readonly reads: boolean;
  readonly seconds: number;
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
