/**
 * The questions that hooks are asked, and their answers: over NATS as JSON or MessagePack, in code as values. Programs that write hooks in TypeScript import
 * these types from `@stentor-broadcast/server`.
 */

export type HookName = 'connect' | 'subscribe' | 'publish' | 'disconnect';

/** Who asks. */
export interface HookCaller {
  /** `sub` of the token; null: an anonymous connection. */
  readonly user: string | null;
  /** `stentor.info` of the token. Absent: it has none. */
  readonly info?: unknown;
  readonly connectionId: string;
  readonly nodeId: string;
}

/** A connection wants to begin. */
export interface ConnectQuestion extends HookCaller {
  readonly hook: 'connect';
}

/** How a client wants a topic; absent fields were not given. */
export interface SubscribeOptions {
  readonly snapshot?: boolean;
  readonly maxRateHz?: number;
  readonly echo?: boolean;
  readonly timestamps?: boolean;
  readonly presence?: boolean;
}

/** A connection wants to see a topic. */
export interface SubscribeQuestion extends HookCaller {
  readonly hook: 'subscribe';
  readonly topic: string;
  /** Reading the history or the presence of a topic needs the same permission as subscribing. */
  readonly action: 'subscribe' | 'history' | 'presence';
  /** True: it is subscribed, and the last answer has expired. */
  readonly again: boolean;
  readonly options: SubscribeOptions;
}

/** A connection wants to publish. The same publish may be asked about again, after a reconnect: with the same idempotency key. */
export interface PublishQuestion extends HookCaller {
  readonly hook: 'publish';
  readonly topic: string;
  readonly key: string | null;
  readonly data: unknown;
  readonly idempotencyKey?: string;
}

/** A connection has ended. There is nothing to answer. */
export interface DisconnectQuestion extends HookCaller {
  readonly hook: 'disconnect';
  /** WebSocket close code. */
  readonly code: number;
}

export type HookQuestion = ConnectQuestion | SubscribeQuestion | PublishQuestion | DisconnectQuestion;

/** The client gets `code` (64 characters at most) and `message` (1,024 at most). */
export interface HookDenial {
  readonly allow: false;
  readonly code?: string;
  readonly message?: string;
}

export interface ConnectAllowance {
  readonly allow: true;
  /** For this long the same user is not asked about again on this node (in code: in this worker). */
  readonly cacheMs?: number;
}

export interface SubscribeAllowance extends ConnectAllowance {
  /** Replace those of the client. */
  readonly options?: SubscribeOptions;
  /** After this time the hook is asked again, and a denial then ends the subscription. */
  readonly expiresInMs?: number;
}

export interface PublishAllowance extends ConnectAllowance {
  /** Is published instead. Such an answer is not cached. */
  readonly data?: unknown;
}

export type ConnectAnswer = ConnectAllowance | HookDenial;
export type SubscribeAnswer = SubscribeAllowance | HookDenial;
export type PublishAnswer = PublishAllowance | HookDenial;

/** The exports of `hooks.module`. */
export interface ConnectionHooks {
  connect?(question: ConnectQuestion): ConnectAnswer | Promise<ConnectAnswer>;
  disconnect?(question: DisconnectQuestion): void | Promise<void>;
}

/** The exports of `namespaces.<name>.hooks.module`. */
export interface NamespaceHooks {
  subscribe?(question: SubscribeQuestion): SubscribeAnswer | Promise<SubscribeAnswer>;
  publish?(question: PublishQuestion): PublishAnswer | Promise<PublishAnswer>;
}
