/** Why a connection ended or could not be made. */
export interface Reason {
  /** A WebSocket close code; 1006 where there was none (cut, refused, silent), 1000 after `close()`. */
  readonly code: number;
  readonly text: string;
}

/** Where the connection stands. A new object with every change. */
export type ConnectionState =
  | {
      /** `connecting`: never connected yet; `reconnecting`: was. */
      readonly status: 'connecting' | 'reconnecting';
      /** The URL being tried, or to be tried next. */
      readonly url: string;
      /** Attempts that failed since the last good connection. */
      readonly attempt: number;
      /** What ended the last connection or attempt. */
      readonly reason: Reason | undefined;
      /** When the next attempt begins, milliseconds since 1970; undefined while one is under way. */
      readonly nextAttemptAtMs: number | undefined;
    }
  | {
      readonly status: 'connected';
      readonly url: string;
      readonly connectionId: string;
      readonly nodeId: string;
      /** The token's user; null without a token. */
      readonly user: string | null;
    }
  | {
      /** Nothing is tried any more, until `connect()` is called. */
      readonly status: 'disconnected';
      readonly reason: Reason;
    };

export type ConnectionStatus = ConnectionState['status'];

/** The connection could not be made or was cut: no close frame came. */
export const ABNORMAL_CLOSURE = 1006;
export const NORMAL_CLOSURE = 1000;

/** Does the connection's server have its broker? While it has not, subscriptions stay, and nothing comes of them. */
export type Feed = { readonly live: true; readonly reason?: undefined } | { readonly live: false; readonly reason: string | undefined };

export const LIVE: Feed = { live: true };
