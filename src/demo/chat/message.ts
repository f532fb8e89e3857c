import type { Item } from '@stentor-broadcast/client';

/** A message as it is shown. */
export interface Message {
  /** The user of the token that published it, as the server says: no client can forge it. Undefined: not a client, but a service. */
  readonly author: string | undefined;
  readonly text: string;
  readonly atMs: number;
  /** Its place in the log. */
  readonly offset: number;
}

/** @param item of a subscription or history with `timestamps: true` */
export function toMessage({ origin, offset, publishedAtMs = Date.now() }: Item, text: string): Message {
  return { author: origin, text, atMs: publishedAtMs, offset };
}

/** `Ann-x7k2` is `Ann`: the demo adds four random characters to the chosen name, so that no two visitors are the same user. */
export function nameOf(user: string | undefined): string {
  return user === undefined ? 'a service' : user.replace(/-[a-z0-9]{4}$/, '');
}
