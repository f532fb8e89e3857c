import Type from 'typebox';
import { closed } from './closed.ts';

export const MemoryTuning = Type.Object(
  {
    dedupeWindowMs: Type.Integer({
      minimum: 100,
      maximum: 86_400_000,
      default: 120_000,
      description: 'how long the memory bus remembers message ids',
    }),
    dedupeIdsMax: Type.Integer({
      minimum: 16,
      maximum: 10_000_000,
      default: 100_000,
      description: 'maximum message ids remembered, per namespace',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Duplicates in the memory bus.',
  },
);
