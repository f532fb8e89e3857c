import Type from 'typebox';
import { closed } from './closed.ts';

export const RecoveryTuning = Type.Object(
  {
    keysPerTopicMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description: 'maximum keys per topic whose latest item is kept for snapshots. The least recently changed key is removed first',
    }),
    ringItemsMax: Type.Integer({
      minimum: 16,
      maximum: 1_000_000,
      default: 4096,
      description: 'maximum recent items that a worker keeps per topic for recovery',
    }),
    ringBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_073_741_824,
      default: 4_194_304,
      description: 'maximum bytes of these items, per topic',
    }),
    workerRingBytesMax: Type.Integer({
      minimum: 1_048_576,
      maximum: 68_719_476_736,
      default: 268_435_456,
      description: 'maximum bytes of recent items that a worker keeps for all topics. The oldest are removed first',
    }),
    cacheItemsPerTopicMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 4096,
      description:
        'maximum recent publications that the hub caches per durable topic without keys, for workers that do not have them. 0: no cache',
    }),
    cacheBytesPerTopicMax: Type.Integer({
      minimum: 0,
      maximum: 1_073_741_824,
      default: 4_194_304,
      description: 'maximum bytes of this cache, per topic',
    }),
    cacheBytesMax: Type.Integer({
      minimum: 0,
      maximum: 68_719_476_736,
      default: 134_217_728,
      description: 'maximum bytes of this cache, for all topics. The oldest publications of each topic are removed in turn',
    }),
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
    recoveryCacheBytesMax: Type.Integer({
      minimum: 0,
      maximum: 68_719_476_736,
      default: 67_108_864,
      description:
        'maximum bytes of recovered publications that a worker caches for a few seconds, for other clients that return to the same topics',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'What hub and workers keep of the recent past, and how much of it one client may ask for.',
  },
);
