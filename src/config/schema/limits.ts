import Type from 'typebox';
import { closed } from './closed.ts';

/** Limits that an operator sets; finer ones are in `tuning`. */
export const LimitsSchema = Type.Object(
  {
    connectionsPerWorkerMax: Type.Integer({
      minimum: 1,
      maximum: 5_000_000,
      default: 200_000,
      description: 'maximum connections of a worker. More are refused with 503. Lowered at start to what the file descriptor limit allows',
    }),
    connectsPerSecondMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 0,
      description:
        'maximum new connections per second and worker, with a burst of the same number. More are refused with 503. A new node then fills slowly, and a reconnect storm does not delay connected clients. 0: no limit',
    }),
    connectionsPerAddressMax: Type.Integer({
      minimum: 0,
      maximum: 5_000_000,
      default: 0,
      description:
        'maximum connections from one address (IPv6: /64) to the node. Each worker has an equal share, rounded up. More are refused with 429. Behind proxies set proxies.trusted first: otherwise all clients have the address of the proxy. 0: no limit',
    }),
    connectsPerAddressPerSecondMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 0,
      description:
        'maximum new connections per second from one address to the node, with a burst of the same number. Each worker has an equal share, rounded up. More are refused with 429. 0: no limit',
    }),
    connectionsPerUserMax: Type.Integer({
      minimum: 0,
      maximum: 100_000,
      default: 5,
      description:
        'maximum connections of one user (`sub` of the token) on all nodes together. The claim `stentor.connectionsMax` of a token overrides it. 0: no limit',
    }),
    tooManyConnections: Type.Union([Type.Literal('closeOldest'), Type.Literal('refuse')], {
      default: 'closeOldest',
      description:
        'what happens when a user has more. `closeOldest`: the oldest connection is closed with 4008. `refuse`: the new one gets `too_many_connections`, and is closed with 4008; a connect then takes up to 100 ms longer',
    }),
    messageBytesMax: Type.Integer({ minimum: 256, maximum: 1_048_576, default: 65_536, description: 'largest message from a client' }),
    messagesPerSecondMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 100,
      description: 'messages per second from one connection; twice as many at once after a second without any. More get `rate_limited`',
    }),
    callsPerSecondMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 10,
      description:
        'calls per second from one connection; twice as many at once after a second without any. More get `too_many_calls`. 0: only the limits of all messages',
    }),
    bytesPerSecondMax: Type.Integer({
      minimum: 4096,
      maximum: 4_294_967_296,
      default: 524_288,
      description:
        'bytes per second from one connection; twice as many at once after a second without any. More get `rate_limited`; refused bytes worth two seconds close the connection with 4009',
    }),
    topicsPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description: 'maximum topics that one connection subscribes to',
    }),
    sendBufferLimitBytes: Type.Integer({
      minimum: 65_536,
      maximum: 268_435_456,
      default: 1_048_576,
      description: 'bytes waiting for one socket at which it is closed with 4103',
    }),
    slowTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 3_600_000,
      default: 60_000,
      description: 'time after which a connection that is still a slow consumer is closed with 4103',
    }),
    patternsPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 10,
      description: 'maximum patterns that one connection subscribes to (`wildcards`). More are refused with `too_many_topics`',
    }),
    patternsPerNodeMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description:
        'maximum patterns that are open on a node, of all namespaces together (`wildcards`). More are refused with `too_many_patterns`',
    }),
    selectionsPerTopicMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 32,
      description:
        'maximum different selections (`fields`, `filter`) of one topic in a worker. Each costs something for every publication of the topic. More are refused with `too_many_selections`',
    }),
    topicsPerNodeMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 100_000,
      description: 'maximum open topics of a node. More get `busy`',
    }),
    sharePercentMax: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 75,
      description:
        'maximum share, in percent, that one user, or one address (IPv6: /64) of clients without a token, has of the open topics (limits.topicsPerNodeMax) and patterns (limits.patternsPerNodeMax, namespaces.<name>.patternsMax) of a node, and of the different selections of a topic (limits.selectionsPerTopicMax); and that one address has of tuning.connections.handshakesMax and tuning.http.requestsInFlightMax. Each worker has an equal share of topics and patterns, rounded up. More are refused as if there were no more. Behind proxies set proxies.trusted first. 100: no limit',
    }),
  },
  { ...closed, default: {}, description: 'What clients may do at most.' },
);
