import Type from 'typebox';
import { closed } from './closed.ts';

export const AuthTuning = Type.Object(
  {
    jwksCooldownMs: Type.Integer({
      minimum: 1000,
      maximum: 600_000,
      default: 30_000,
      description:
        'minimum time between two fetches caused by tokens with an unknown key, and maximum time between two attempts while fetching fails',
    }),
    jwksKeysMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 32,
      description:
        'maximum number of keys in the set for auth.jwksAlgorithms. A set with more keys, or with none, is treated as a failed fetch',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Fetching the keys of `auth.jwksUrl`.',
  },
);
