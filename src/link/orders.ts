import type { Topic } from '../protocol/topic.ts';

/** Whose connections an operator means. */
export type EndTarget = { readonly user: string } | { readonly connectionId: string } | { readonly tokenId: string };

/** Closes connections, which may come back or not; or ends their subscriptions to a topic. The reason is for clients, 123 bytes at most. */
export type EndOrder =
  | { readonly action: 'disconnect'; readonly target: EndTarget; readonly reason: string; readonly reconnect: boolean }
  | { readonly action: 'unsubscribe'; readonly target: EndTarget; readonly reason: string; readonly topic: Topic };

/** A token, by its `jti`; or all of a user that were issued before a time. */
export type Revocation = { readonly tokenId: string } | { readonly user: string; readonly issuedBeforeMs: number };
