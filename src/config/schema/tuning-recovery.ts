import Type from 'typebox';
import { closed } from './closed.ts';

export const RecoveryTuning = Type.Object(
  {
    recoveryItemsMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 20_000,
      description:
        'maximum publications that one `subscribe` with `since` recovers. A client that missed more gets the state of the topic instead',
    }),
    recoveryBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 268_435_456,
      default: 4_194_304,
      description: 'maximum bytes of these publications',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'How much of the past one client may ask for when it comes back.',
  },
);
