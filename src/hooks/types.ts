/**
 * The questions to hooks, and their answers. Hooks on NATS get and send them as JSON or MessagePack, hooks in code as values. Hooks that are written in
 * TypeScript import these types from `@stentor-broadcast/server`.
 */

export type HookName = 'connect' | 'subscribe' | 'publish' | 'disconnect';

/** The client that the question is about, and its connection. */
export interface HookCaller {
  /** `sub` of the token. null: the connection is anonymous. */
  readonly user: string | null;
  /** `stentor.info` of the token. Absent: the token has none. */
  readonly info?: unknown;
  readonly connectionId: string;
  readonly nodeId: string;
}

/** A client opens a connection, or an anonymous one gets a user. */
export interface ConnectQuestion extends HookCaller {
  readonly hook: 'connect';
  /** True: the connection is open, and the last answer has expired. */
  readonly again: boolean;
}

/** The options of a client's `subscribe`. A field is absent if the client did not send it. */
export interface SubscribeOptions {
  readonly snapshot?: boolean;
  readonly maxRateHz?: number;
  readonly echo?: boolean;
  readonly timestamps?: boolean;
  readonly presence?: boolean;
  readonly delta?: boolean;
}

/** What a client wants, for a hook to judge. A field is absent if the client did not send it. */
export interface AskedOptions extends SubscribeOptions {
  /** Only publications with these tags: for each name one of these texts. */
  readonly filter?: Readonly<Record<string, string | readonly string[]>>;
  /** Only these members of the document: JSON Pointers. */
  readonly fields?: readonly string[];
}

/** A client wants to subscribe to a topic, or to read its history or presence. */
export interface SubscribeQuestion extends HookCaller {
  readonly hook: 'subscribe';
  /** Or a pattern of topics: the answer must then say so (`pattern: true`). */
  readonly topic: string;
  /** Only this key of the topic. Absent: the whole topic. */
  readonly key?: string;
  /** Reads of a topic's history and presence are asked about, too. */
  readonly action: 'subscribe' | 'history' | 'presence';
  /** True: the connection is subscribed, and the last answer has expired. */
  readonly again: boolean;
  /** Of a `history` only `filter` and `fields`. */
  readonly options: AskedOptions;
}

/** A client publishes. After a reconnect it may repeat the publish; the hook is then asked again, with the same idempotency key. */
export interface PublishQuestion extends HookCaller {
  readonly hook: 'publish';
  readonly topic: string;
  readonly key: string | null;
  readonly data: unknown;
  /** `data` is a whole document, not a patch. */
  readonly image?: boolean;
  readonly idempotencyKey?: string;
}

/** A connection has ended. The answer is ignored. */
export interface DisconnectQuestion extends HookCaller {
  readonly hook: 'disconnect';
  /** WebSocket close code. */
  readonly code: number;
}

export type HookQuestion = ConnectQuestion | SubscribeQuestion | PublishQuestion | DisconnectQuestion;

/** The client gets `code` (at most 64 characters) and `message` (at most 1,024). */
export interface HookDenial {
  readonly allow: false;
  readonly code?: string;
  readonly message?: string;
}

interface Allowance {
  readonly allow: true;
  /** For this time the node uses this answer for the same user (hooks in code: the worker does). */
  readonly cacheMs?: number;
}

export interface ConnectAllowance extends Allowance {
  /** After this time the hook is asked again. A denial then closes the connection. */
  readonly expiresInMs?: number;
}

export interface SubscribeAllowance extends Allowance {
  /** These options replace those of the client. What it selects cannot be replaced. */
  readonly options?: SubscribeOptions;
  /** The question is about a pattern of topics (`scores.*`), and it is allowed. Without this an answer allows topics only. */
  readonly pattern?: true;
  /** After this time the hook is asked again. A denial then ends the subscription. */
  readonly expiresInMs?: number;
}

export interface PublishAllowance extends Allowance {
  /** This data is published instead of the client's. Such an answer is not cached. */
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
