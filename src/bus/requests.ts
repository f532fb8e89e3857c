import type { PayloadKind } from '../config/schema.ts';
import type { RequestAddress } from './channel.ts';
import type { Origin } from './publication.ts';

/** Formats that services are asked in. */
export type CallPayloadKind = Exclude<PayloadKind, 'bytes'>;

export interface CallQuestion {
  readonly method: string;
  /** Where to ask; absent: at the method's own subject, `rpc.<method>`. */
  readonly subject?: string;
  readonly payload: Uint8Array;
  readonly payloadKind: CallPayloadKind;
  readonly timeoutMs: number;
  readonly caller: Caller;
}

/** Who asks, and through which node. */
export interface Caller extends Origin {
  readonly nodeId: string;
}

/** What the service answers: a result, or an error with a code and a text of its own. */
export type CallAnswer =
  | {
      readonly kind: 'result';
      readonly payload: Uint8Array;
      /** From the answer's Content-Type; undefined: as the question. */
      readonly payloadKind: PayloadKind | undefined;
    }
  | ServiceError;

/** As the service says it: not bounded, not checked. */
export interface ServiceError {
  readonly kind: 'serviceError';
  /** Empty: it has none. */
  readonly code: string;
  readonly text: string;
}

export interface OutgoingRequest {
  readonly payload: Uint8Array;
  readonly payloadKind: CallPayloadKind;
  /** For an answer; the other node is told. */
  readonly timeoutMs: number;
  /** The other node may drop it. */
  readonly volatile?: boolean | undefined;
}

/** From another node, or from any program with the permission. */
export interface IncomingRequest {
  readonly address: RequestAddress;
  /** May be a view of a larger buffer. */
  readonly payload: Uint8Array;
  /** Undefined: not stated. */
  readonly payloadKind: PayloadKind | undefined;
  /** Undefined: not stated, or no valid number. */
  readonly timeoutMs: number | undefined;
  readonly volatile: boolean;
  /** Undefined: nobody waits for an answer. Never throws. */
  readonly answer: ((answer: RequestAnswer) => void) | undefined;
}

/** In JSON or MessagePack, which the answer says; or an error. */
export type RequestAnswer = { readonly kind: 'result'; readonly payload: Uint8Array; readonly payloadKind: CallPayloadKind } | ServiceError;
