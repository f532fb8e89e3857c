/** A client, and the operator who revokes its token. */
export interface RevokedSettings {
  readonly port: number;
  readonly token: string;
  readonly topic: string;
}

export interface RevokeRequest {
  readonly adminPort: number;
  readonly adminToken: string;
  /** Body of `POST /api/revoke`. */
  readonly body: object;
}

export interface RevokedReport {
  /** From the operator's request until the client was closed. */
  readonly closedAfterMs: number;
  readonly code: number;
}
