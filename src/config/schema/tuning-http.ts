import Type from 'typebox';
import { closed } from './closed.ts';

export const HttpTuning = Type.Object(
  {
    requestsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 256,
      description:
        'maximum requests that a worker reads or answers at the same time. At most limits.sharePercentMax of them may come from one address (IPv6: /64). More get `busy`',
    }),
    requestBytesInFlightMax: Type.Integer({
      minimum: 1_048_576,
      maximum: 4_294_967_296,
      default: 16_777_216,
      description: 'maximum bytes of their bodies and answers. More get `busy`',
    }),
    bodyTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 5000,
      description:
        'maximum time in which the body of a request must arrive. A later one gets `timeout`. uWebSockets.js closes a connection without an answer when nothing arrives for 8 to 12 s',
    }),
    topicsPerStreamMax: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 50,
      description: 'maximum topics of one `GET /sse`. Each adds up to 12 bytes to the id of every event',
    }),
    callersMax: Type.Integer({
      minimum: 16,
      maximum: 10_000_000,
      default: 50_000,
      description:
        'maximum users, and addresses without a token, whose rates a worker remembers. Each is forgotten after two seconds without a request. More get `busy`',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'HTTP on the clients’ port: `POST /publish`, `GET /history`, and streams of events (`GET /sse`).',
  },
);
