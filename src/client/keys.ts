/** `@stentor-broadcast/client/keys`: keys in NATS subjects. It has its own entry, because only producers that publish directly into NATS need them. */
import { keyOfToken, tokenOfKey } from '../protocol/key-token.ts';
import type { Key } from '../protocol/topic.ts';
import { assertFields, unexpected } from './check.ts';

/**
 * Encodes a key as the last token of a NATS subject, for a producer that publishes directly into NATS: `BTC/USDT` becomes `BTC=2FUSDT`. @throws InvalidError
 * for an invalid key
 */
export function encodeKey(key: string): string {
  assertFields({ key: key ?? null });
  return tokenOfKey(key as Key);
}

/** The reverse of {@link encodeKey}. @throws InvalidError for an invalid token */
export function decodeKey(token: string): string {
  const key = typeof token === 'string' ? keyOfToken(token) : undefined;
  if (key === undefined) throw unexpected('token', token, 'an encoded key');
  return key;
}
