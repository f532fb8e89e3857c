import Type from 'typebox';
import { closed } from './closed.ts';

export const SanitizeTuning = Type.Object(
  {
    textBytesMax: Type.Integer({
      minimum: 64,
      maximum: 1_048_576,
      default: 1024,
      description:
        'maximum bytes of the texts with tags in one publication, plus 64 for each of them. More gets `message_too_big`. Texts without tags do not count',
    }),
    turnMs: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 2,
      description: 'time after which sanitizing pauses for other work of the hub',
    }),
    queueMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
      description: 'maximum publications of clients that wait to be sanitized, for the whole node. More get `busy`',
    }),
    queueBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_073_741_824,
      default: 8_388_608,
      description: 'maximum bytes of their data. More get `busy`',
    }),
  },
  { ...closed, default: {}, description: 'Bounds of the work for namespaces with `sanitize`.' },
);
