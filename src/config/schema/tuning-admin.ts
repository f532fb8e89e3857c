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
    bodyBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 268_435_456,
      default: 4_194_304,
      description: 'maximum bytes of a request that publishes many publications. A larger one gets `message_too_big`',
    }),
    bodyTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 5000,
      description: 'maximum time in which the body of a request must arrive. A later one gets `timeout`',
    }),
    bodiesBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_073_741_824,
      default: 33_554_432,
      description: 'maximum bytes of the bodies of all requests that are read or answered at the same time. More get `busy`',
    }),
    publicationsPerRequestMax: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 1000,
      description: 'maximum publications in one request. More get `bad_message`',
    }),
    seriesIntervalMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description: 'time between two points of the charts of the operator’s page. Nodes that share a NATS should have the same',
    }),
    seriesPointsMax: Type.Integer({
      minimum: 1,
      maximum: 600,
      default: 360,
      description: 'points that a node keeps in memory for them, of 80 bytes each: an hour, by default',
    }),
    pageItemsMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description: 'maximum items, topics, users or connections in one answer. A larger `limit` is lowered to this',
    }),
  },
  { ...closed, default: {}, description: 'The HTTP API on the admin port.' },
);
