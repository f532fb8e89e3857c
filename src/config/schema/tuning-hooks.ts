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
