import { nameToken } from './name-token.ts';

/** Tokens that are no longer valid: one, by its id (`jti`), or all of a user that were issued before a time. */
export type StoredRevocation = { readonly tokenId: string } | { readonly user: string; readonly issuedBeforeMs: number };

/** Where revocations are kept for nodes that start later: for as long as `auth.tokenLifeMaxMs`. */
export interface RevocationStore {
  /** One of a user replaces one of the same user, where it is for a later time. @throws BusError */
  put(revocation: StoredRevocation): Promise<void>;
  /** @throws BusError */
  all(): Promise<StoredRevocation[]>;
}

/** `user.ann`, `token.6b3f`: the same revocation always has the same. Names that make no token of a subject have a digest. */
export function keptKey(revocation: StoredRevocation): string {
  const [kind, name] = 'user' in revocation ? ['user', revocation.user] : ['token', revocation.tokenId];
  return `${kind}.${nameToken(name)}`;
}

/** What both say together. */
export function widest(known: StoredRevocation | undefined, next: StoredRevocation): StoredRevocation {
  if (known === undefined || !('user' in known) || !('user' in next)) return next;
  return known.issuedBeforeMs > next.issuedBeforeMs ? known : next;
}
