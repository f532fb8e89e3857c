import { ADMIN_TOKEN_LENGTH_MIN } from './admin-tokens.ts';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

/** What a node must have before it may be open to strangers. Each problem names the setting to change. */
export function productionIsSafe({ production, tls, auth, admin, allowedOrigins }: Config): Problem[] {
  if (!production) return [];
  const missing = (path: string, expected: string): Problem => ({ path, expected: `expected ${expected}, because production is true` });
  return [
    ...(tls.certFile === '' && !tls.terminatedUpstream
      ? [missing('tls.certFile', 'a certificate, or tls.terminatedUpstream to be true if a proxy in front terminates TLS')]
      : []),
    ...(auth.keys.length === 0 && auth.jwksUrl === '' ? [missing('auth.keys', 'at least one key, or auth.jwksUrl to be set')] : []),
    ...(admin.token !== '' && admin.token.length < ADMIN_TOKEN_LENGTH_MIN
      ? [missing('admin.token', `at least ${ADMIN_TOKEN_LENGTH_MIN} characters`)]
      : []),
    ...(allowedOrigins.length === 0
      ? [
          missing(
            'allowedOrigins',
            'the origins of your pages; or `*` if pages of all origins may connect, or `none` if no browsers connect',
          ),
        ]
      : []),
  ];
}
