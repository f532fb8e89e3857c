import Type from 'typebox';
import { closed } from './closed.ts';

export const HooksTuning = Type.Object(
  {
    askedMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description: 'maximum unanswered questions of one hook: on NATS for the whole node, in code for each worker. More get `busy`',
    }),
    askedPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description: 'maximum commands of one connection that wait for a subscribe hook. More get `busy`',
    }),
    askedPerUserPerSecondMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 1000,
      description:
        'questions per second to the hooks on NATS about commands of one user, or of one connection without a user, on this node, with a burst of the same number. More get `busy` with `retryAfterMs`. Answers from the cache do not count. 0: no limit',
    }),
    askedUsersMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 10_000,
      description: 'maximum users and connections whose rate is remembered. The least recent are forgotten, and may ask at once again',
    }),
    cacheEntriesMax: Type.Integer({
      minimum: 0,
      maximum: 10_000_000,
      default: 10_000,
      description:
        'maximum cached answers of hooks: of hooks on NATS in the hub, of hooks in code in each worker. The least recently used are evicted',
    }),
    cacheBytesMax: Type.Integer({
      minimum: 0,
      maximum: 4_294_967_296,
      default: 16_777_216,
      description: 'maximum bytes of these answers',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Bounds of unanswered questions to hooks, and of cached answers.',
  },
);
