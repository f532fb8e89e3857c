import Type from 'typebox';
import { closed } from './closed.ts';

export const RecentTuning = Type.Object(
  {
    itemsPerTopicMax: Type.Integer({
      minimum: 16,
      maximum: 1_000_000,
      default: 4096,
      description: 'maximum recent items per topic',
    }),
    bytesPerTopicMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_073_741_824,
      default: 4_194_304,
      description: 'maximum bytes of these items, per topic',
    }),
    bytesMax: Type.Integer({
      minimum: 1_048_576,
      maximum: 68_719_476_736,
      default: 268_435_456,
      description:
        'maximum bytes of recent items of all topics. The oldest are removed first. In the hub the latest items of keys count too, but are never removed for it. At most a quarter of it holds log reads, for a few seconds, for other clients that return to the same topics and for the next pages of an answer',
    }),
    keysPerTopicMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description:
        'maximum keys per topic whose latest item is kept for snapshots. The least recently changed key is removed first, and a client of a rate class, or a slow one with `conflate`, that had not been sent its change starts again from the state. Of a topic with a document for each key: maximum removed keys that are remembered',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'What the hub keeps of the recent past, and each worker: each of them so much.',
  },
);
