/** The user of a connection, and what its token permits. Patterns use NATS wildcards: `scores.>`, `ticks.*`. */
export interface Identity {
  /** The token's `sub`; null for anonymous connections. */
  readonly user: string | null;
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  /** Where it may publish whole documents, as well as patches. */
  readonly image?: readonly string[];
  readonly call: readonly string[];
  /** What other subscribers see of the user. Any JSON value; undefined: nothing. */
  readonly info: unknown;
  /** When the token expires, milliseconds since 1970. Undefined for anonymous connections. */
  readonly expiresAtMs: number | undefined;
  /** The token's `jti`. */
  readonly tokenId?: string;
  /** The token's `iat`, milliseconds since 1970. */
  readonly issuedAtMs?: number;
  /** How many connections the user may have; undefined: as many as the config says. */
  readonly connectionsMax?: number;
}

export const ANONYMOUS: Identity = { user: null, subscribe: [], publish: [], call: [], info: undefined, expiresAtMs: undefined };
