import type { ServerMessage } from '../protocol/messages.ts';

/** Why a connection ended or could not be made. */
export interface Reason {
  /** A WebSocket close code; 1006 if there was none (cut, refused, silent), 1000 after `close()`. */
  readonly code: number;
  readonly text: string;
}

/** The state of the connection. A new object with every change. */
export type ConnectionState =
  | {
      /** `connecting`: has never been connected; `reconnecting`: has been connected before. */
      readonly status: 'connecting' | 'reconnecting';
      /** The current URL, or the next one. */
      readonly url: string;
      /** Failed attempts since the last good connection. */
      readonly attempt: number;
      /** What ended the last connection or attempt. */
      readonly reason: Reason | undefined;
      /** When the next attempt begins, milliseconds since 1970; undefined during an attempt. */
      readonly nextAttemptAtMs: number | undefined;
    }
  | {
      readonly status: 'connected';
      readonly url: string;
      readonly connectionId: string;
      readonly nodeId: string;
      /** The token's user; null without a token. */
      readonly user: string | null;
      /** The topic of this user alone; undefined: there is none. */
      readonly userTopic: string | undefined;
    }
  | {
      /** No more attempts are made, until `connect()` is called. */
      readonly status: 'disconnected';
      readonly reason: Reason;
    };

export type ConnectionStatus = ConnectionState['status'];

/** The connection could not be made or was cut: no close frame arrived. */
export const ABNORMAL_CLOSURE = 1006;
export const NORMAL_CLOSURE = 1000;

/** Whether the connected server has its broker. While it has not, subscriptions stay, and receive nothing. */
export type Feed = { readonly live: true; readonly reason?: undefined } | { readonly live: false; readonly reason: string | undefined };

export const LIVE: Feed = { live: true };

export function feedOf(message: ServerMessage<'feed'>): Feed {
  return message.live ? LIVE : { live: false, reason: message.reason };
}

/** The connection was cut, or could not be made. */
export function abnormal(text: string): Reason {
  return { code: ABNORMAL_CLOSURE, text };
}
