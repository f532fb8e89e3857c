import Type from 'typebox';
import { closed } from './closed.ts';

export const AuthTuning = Type.Object(
  {
    jwksCooldownMs: Type.Integer({
      minimum: 1000,
      maximum: 600_000,
      default: 30_000,
      description:
        'minimum time between two fetches caused by tokens with an unknown key, and maximum time between two attempts while fetching fails. Within it, tokens that were issued after the last fetch and have an unknown key get `unavailable`',
    }),
    jwksKeysMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 32,
      description:
        'maximum number of keys in the set for auth.jwksAlgorithms. A set with more keys, or with none, is treated as a failed fetch',
    }),
    verifiedTokensMax: Type.Integer({
      minimum: 0,
      maximum: 10_000_000,
      default: 20_000,
      description:
        'maximum verified tokens that each worker remembers, so that a client that comes back costs less. Expiry, revocations and new key sets count as always. 0: none',
    }),
    verifiedTokenBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_073_741_824,
      default: 33_554_432,
      description: 'maximum bytes of these, by an estimate. Above either bound, those that were used longest ago are forgotten',
    }),
    revocationsMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 100_000,
      description: 'maximum revocations that a node and each worker know. The oldest are forgotten',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Fetching the keys of `auth.jwksUrl`, verified tokens, and revoked tokens.',
  },
);
