import Type from 'typebox';
import { closed } from './closed.ts';

export const AdminTuning = Type.Object(
  {
    requestsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 64,
      description: 'maximum requests to the HTTP API that are answered at the same time. More get `busy`',
    }),
  },
  { ...closed, default: {}, description: 'The HTTP API on the admin port.' },
);
