import { createHash, timingSafeEqual } from 'node:crypto';
import type { Scope } from './sources.ts';

const ALL_SCOPES: readonly Scope[] = ['publish', 'read', 'admin'];

interface KnownToken {
  readonly digest: Buffer;
  readonly scopes: readonly Scope[];
}

/** Which tokens there are, and what each permits. */
export class ApiTokens {
  readonly #tokens: readonly KnownToken[];

  /** @param token bearer token with every scope; empty: there is none */
  constructor({ token }: { readonly token: string }) {
    this.#tokens = token === '' ? [] : [{ digest: digestOf(token), scopes: ALL_SCOPES }];
  }

  /** No token is required to read, and nothing else is permitted. */
  get isOpen(): boolean {
    return this.#tokens.length === 0;
  }

  /** @returns what the token of an Authorization header permits; undefined: it is none of these. The time does not depend on how much of it is right */
  scopesOf(authorization: string | undefined): readonly Scope[] | undefined {
    const [, token] = /^Bearer +(.+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return undefined;
    const given = digestOf(token);
    const matching = this.#tokens.filter(({ digest }) => timingSafeEqual(digest, given));
    return matching.length === 0 ? undefined : ALL_SCOPES.filter((scope) => matching.some(({ scopes }) => scopes.includes(scope)));
  }
}

/** Of equal length, whatever the token is. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
