import Type from 'typebox';
import { closed } from './closed.ts';

export const AdminTuning = Type.Object(
  {
    requestsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 128,
      description: 'maximum requests to the HTTP API that are answered at the same time. More get `busy`',
    }),
    requestsPerTokenMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 32,
      description:
        'maximum of them with the same token, or from one address (IPv6: /64) where no token is configured. More get `busy`. If this, times the number of tokens less one, is below `requestsInFlightMax`, all other tokens together cannot keep one out',
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
      description:
        'maximum bytes of the bodies of all requests that are read or answered at the same time, and of their answers. More get `busy`',
    }),
    bodiesBytesPerTokenMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_073_741_824,
      default: 16_777_216,
      description: 'maximum of these bytes with the same token, or from one address. More get `busy`',
    }),
    answerTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description: 'time for which a client may read nothing of its answer. Then its connection is cut',
    }),
    connectionsMax: Type.Integer({
      minimum: 8,
      maximum: 1_000_000,
      default: 512,
      description:
        'maximum connections of the admin port. Above it, the oldest one without a request that is being answered is cut, of the address with the most',
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
