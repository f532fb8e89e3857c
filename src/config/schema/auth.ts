import Type from 'typebox';
import { closed } from './closed.ts';
import { ONE_DAY_MS } from './units.ts';

export const AuthKeySchema = Type.Object(
  {
    kid: Type.Optional(Type.String({ description: 'key id. A token with another `kid` is not checked with this key' })),
    alg: Type.Union([Type.Literal('HS256'), Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')], {
      description: 'the algorithm of this key; it is used with no other',
    }),
    secret: Type.Optional(Type.String({ minLength: 32, description: 'HS256 secret, at least 32 characters', secret: true })),
    publicKeyPem: Type.Optional(Type.String({ description: 'public key, as SPKI PEM text' })),
    publicKeyFile: Type.Optional(Type.String({ description: 'path of a file with the public key, as SPKI PEM', filePath: true })),
  },
  closed,
);

/** Who may connect: the keys that verify tokens, and the required claims. */
export const AuthSchema = Type.Object(
  {
    keys: Type.Array(AuthKeySchema, {
      maxItems: 32,
      default: [],
      description:
        'keys that tokens are verified with. Each has `alg`; `secret` (HS256), `publicKeyPem` or `publicKeyFile`; and optionally `kid`',
    }),
    jwksUrl: Type.String({ default: '', description: 'URL of a JSON Web Key Set with the keys that tokens are verified with' }),
    jwksMaxAgeMs: Type.Integer({
      minimum: 1000,
      maximum: ONE_DAY_MS,
      default: 600_000,
      description:
        'time after which the keys of auth.jwksUrl are fetched again. A key that was removed from the set is accepted until then',
    }),
    jwksKeepMs: Type.Integer({
      minimum: 1000,
      maximum: 30 * ONE_DAY_MS,
      default: ONE_DAY_MS,
      description:
        'maximum age of the last fetched keys while auth.jwksUrl cannot be fetched. After that, tokens that need them get `unavailable`',
    }),
    jwksAlgorithms: Type.Array(Type.Union([Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')]), {
      maxItems: 3,
      default: ['RS256', 'ES256', 'EdDSA'],
      description: 'algorithms accepted with the keys of auth.jwksUrl',
    }),
    issuer: Type.String({ default: '', description: 'required value of `iss`. Empty: not checked' }),
    audience: Type.String({ default: '', description: 'required value of `aud`. Empty: not checked' }),
    clockToleranceMs: Type.Integer({
      minimum: 0,
      maximum: 300_000,
      default: 5000,
      description: 'accepted clock difference when `exp` and `nbf` are checked',
    }),
    revocations: Type.Union([Type.Literal('off'), Type.Literal('accept'), Type.Literal('refuse')], {
      default: 'off',
      description:
        'whether tokens can be revoked, and what a node does with tokens until it has read which are: `accept` them, or `refuse` them with `unavailable`. With NATS, revocations are kept in the bucket `stentor-revocations`, which needs permissions of its own. `off`: tokens cannot be revoked',
    }),
    tokenLifeMaxMs: Type.Integer({
      minimum: 60_000,
      maximum: 366 * ONE_DAY_MS,
      default: 30 * ONE_DAY_MS,
      description:
        'longest life of a token. Revocations are kept for this time, so tokens that live longer are refused. Only for auth.revocations',
    }),
    allowQueryToken: Type.Boolean({
      default: false,
      description: 'also accept the token as ?token=. It then appears in the logs of proxies',
    }),
  },
  { ...closed, default: {}, description: 'The keys that tokens are verified with, and what tokens must say.' },
);
