import Type, { type Static } from 'typebox';
import { NatsSchema } from './schema-nats.ts';

/**
 * The whole configuration, once: types, defaults, bounds and descriptions. `stentor config --reference`, REFERENCE.md,
 * the README's table, `--help` and the Helm chart's schema are all made from here. Names carry their units. `secret: true` keeps a value out of everything that is printed;
 * `filePath: true` makes a path in a config file relative to that file's folder.
 */

const closed = { additionalProperties: false } as const;
const ONE_DAY_MS = 86_400_000;

const History = Type.Object(
  {
    maxCount: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 10_000,
      description: 'publications kept per topic (per key in a keyed namespace)',
    }),
    maxAgeMs: Type.Integer({
      minimum: 1000,
      maximum: 366 * ONE_DAY_MS,
      default: ONE_DAY_MS,
      description: 'how long publications are kept',
    }),
    maxBytes: Type.Integer({
      minimum: 65_536,
      default: 268_435_456,
      description: 'bytes kept for the whole namespace; the oldest publications are removed',
    }),
    clientItemsMax: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 10_000,
      description:
        'maximum publications in the answer to one `history` request of a client. 0: clients may not read the history (`unsupported`)',
    }),
  },
  { ...closed, default: {} },
);

export const NamespaceSchema = Type.Object(
  {
    durable: Type.Boolean({
      default: true,
      description: 'true: kept in a log, with order, no gaps, no duplicates, history and recovery. false: delivered at most once, not kept',
    }),
    keyed: Type.Boolean({
      default: false,
      description:
        'every publication has a key, the last token of its NATS subject. The latest publication of each key is the state of the topic',
    }),
    topicTokens: Type.Integer({
      minimum: 0,
      maximum: 8,
      default: 0,
      description:
        'number of tokens in every topic of the namespace, the namespace included: `ticks.fx` has 2. A subject with another number is refused, logged and counted; this finds a missing key, and a key with a dot. 0: any number',
    }),
    public: Type.Boolean({ default: false, description: 'subscribing needs no token' }),
    clientPublish: Type.Boolean({ default: false, description: 'clients may publish if their token permits it' }),
    payload: Type.Union([Type.Literal('json'), Type.Literal('msgpack'), Type.Literal('bytes')], {
      default: 'json',
      description: 'format of the payload in NATS messages. A Content-Type header overrides it for its message',
    }),
    history: History,
    mirror: Type.String({
      default: '',
      description:
        'name of a stream that mirrors `stentor-<name>`. This node reads the mirror instead, and publishes to the origin. Only with NATS',
    }),
    mirrorDomain: Type.String({ default: '', description: 'JetStream domain of the mirror. Empty: the domain of the origin' }),
    slowConsumer: Type.Union([Type.Literal('replay'), Type.Literal('conflate'), Type.Literal('skip'), Type.Literal('close')], {
      default: 'replay',
      description:
        'what a slow consumer gets when its socket has drained. `replay`: everything it missed; `conflate`: the latest publication of each key; `skip`: nothing, and it is told; `close`: it is closed with 4103',
    }),
    flushIntervalMs: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description: 'time for which publications are batched, even when the node is idle. 0: a publication is sent at once',
    }),
    maxPayloadBytes: Type.Integer({
      minimum: 1,
      maximum: 1_048_576,
      default: 65_536,
      description: 'largest payload of a publication. A larger one is refused (from a client), or skipped and counted (from a producer)',
    }),
  },
  closed,
);

/** What is there when the config names no namespaces. A config that names some replaces these. */
export const DEFAULT_NAMESPACES = {
  scores: { durable: true, public: true },
  ticks: { durable: true, keyed: true, public: true, slowConsumer: 'conflate', history: { maxCount: 1000 } },
  chat: { durable: true, clientPublish: true, history: { maxCount: 1000 } },
  user: { durable: false },
} as const;

const AuthKey = Type.Object(
  {
    kid: Type.Optional(Type.String({ description: 'key id. A token with another `kid` is not checked with this key' })),
    alg: Type.Union([Type.Literal('HS256'), Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')], {
      description: 'the algorithm of this key; it is used with no other',
    }),
    secret: Type.Optional(Type.String({ minLength: 32, description: 'HS256 secret, at least 32 characters', secret: true })),
    publicKeyPem: Type.Optional(Type.String({ description: 'public key, as SPKI PEM text' })),
    publicKeyFile: Type.Optional(Type.String({ description: 'path of a file with the public key, as SPKI PEM', filePath: true })),
  },
  closed,
);

export const ConfigSchema = Type.Object(
  {
    host: Type.String({ default: '0.0.0.0', description: 'address to listen on for WebSocket clients' }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080, description: 'port for WebSocket clients; 0: any free one' }),
    path: Type.String({ pattern: '^/', default: '/ws', description: 'path of the WebSocket endpoint' }),
    nodeId: Type.String({
      maxLength: 64,
      pattern: '^[A-Za-z0-9_-]*$',
      default: '',
      description: 'name of this node in logs, metrics and `connected`. Empty: a random name',
    }),
    workers: Type.Integer({
      minimum: 0,
      maximum: 256,
      default: 1,
      description: 'number of worker processes, which share the port. 0: hub and worker in one process',
    }),
    allowedOrigins: Type.Array(Type.String(), {
      maxItems: 256,
      default: [],
      description:
        'values of the Origin header that are accepted, matched exactly. Empty: all. Requests without the header do not come from a browser, and are accepted',
    }),

    admin: Type.Object(
      {
        host: Type.String({
          default: '127.0.0.1',
          description: 'address to listen on for health checks, metrics, the admin API and the operator’s page',
        }),
        port: Type.Integer({ minimum: 0, maximum: 65_535, default: 9090, description: 'port for the same; 0: any free one' }),
        token: Type.String({
          default: '',
          description: 'bearer token for the admin API and /metrics. Required if admin.host is not loopback',
          secret: true,
        }),
      },
      { ...closed, default: {} },
    ),

    nats: NatsSchema,

    auth: Type.Object(
      {
        keys: Type.Array(AuthKey, {
          maxItems: 32,
          default: [],
          description:
            'keys that tokens are verified with. Each has `alg`; `secret` (HS256), `publicKeyPem` or `publicKeyFile`; and optionally `kid`',
        }),
        jwksUrl: Type.String({ default: '', description: 'URL of a JSON Web Key Set with the keys that tokens are verified with' }),
        jwksCooldownMs: Type.Integer({
          minimum: 1000,
          maximum: 600_000,
          default: 30_000,
          description:
            'minimum time between two fetches caused by tokens with an unknown key, and maximum time between two attempts while fetching fails',
        }),
        jwksMaxAgeMs: Type.Integer({
          minimum: 1000,
          maximum: ONE_DAY_MS,
          default: 600_000,
          description:
            'time after which the keys of auth.jwksUrl are fetched again. A key that was removed from the set is accepted until then',
        }),
        jwksKeepMs: Type.Integer({
          minimum: 1000,
          maximum: 30 * ONE_DAY_MS,
          default: ONE_DAY_MS,
          description:
            'maximum age of the last fetched keys while auth.jwksUrl cannot be fetched. After that, tokens that need them get `unavailable`',
        }),
        jwksKeysMax: Type.Integer({
          minimum: 1,
          maximum: 1000,
          default: 32,
          description:
            'maximum number of keys in the set for auth.jwksAlgorithms. A set with more keys, or with none, is treated as a failed fetch',
        }),
        jwksAlgorithms: Type.Array(Type.Union([Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')]), {
          maxItems: 3,
          default: ['RS256', 'ES256', 'EdDSA'],
          description: 'algorithms accepted with the keys of auth.jwksUrl',
        }),
        issuer: Type.String({ default: '', description: 'required value of `iss`. Empty: not checked' }),
        audience: Type.String({ default: '', description: 'required value of `aud`. Empty: not checked' }),
        clockToleranceMs: Type.Integer({
          minimum: 0,
          maximum: 300_000,
          default: 5000,
          description: 'accepted clock difference when `exp` and `nbf` are checked',
        }),
        allowQueryToken: Type.Boolean({
          default: false,
          description: 'also accept the token as ?token=. It then appears in the logs of proxies',
        }),
      },
      { ...closed, default: {} },
    ),

    heartbeat: Type.Object(
      {
        pingIntervalMs: Type.Integer({
          minimum: 100,
          maximum: 600_000,
          default: 25_000,
          description: 'time between two pings to a connection',
        }),
        pongTimeoutMs: Type.Integer({
          minimum: 50,
          maximum: 60_000,
          default: 5000,
          description: 'maximum time until the pong. Two missed pongs in a row close the connection',
        }),
        connectTimeoutMs: Type.Integer({
          minimum: 100,
          maximum: 60_000,
          default: 5000,
          description: 'maximum time until `connect`, for a connection that needs it',
        }),
      },
      { ...closed, default: {} },
    ),

    limits: Type.Object(
      {
        connectionsPerWorkerMax: Type.Integer({
          minimum: 1,
          maximum: 5_000_000,
          default: 200_000,
          description:
            'maximum connections of a worker. More are refused with 503. Lowered at start to what the file descriptor limit allows',
        }),
        connectsPerSecondMax: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          default: 0,
          description:
            'maximum new connections per second and worker, with a burst of the same number. More are refused with 503. A new node then fills slowly, and a reconnect storm does not delay connected clients. 0: no limit',
        }),
        connectsWaitingMax: Type.Integer({
          minimum: 1,
          maximum: 65_536,
          default: 4096,
          description:
            'length of the listen queue of a worker, rounded up to a multiple of 512. The kernel drops more connections, and their clients retry after 1 s, then 2 s. 512 on systems other than Linux',
        }),
        handshakesMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 8192,
          description:
            'maximum connections of a worker that have not finished their upgrade request. At most three quarters may come from one address (IPv6: /64). At the limit the worker stops listening until some have ended, at most 12 s. Lowered at start to a quarter of what the file descriptor limit allows',
        }),
        handshakeGraceMs: Type.Integer({
          minimum: 1,
          maximum: 12_000,
          default: 1000,
          description: 'age at which a connection without a finished request may be cut, when limits.handshakesMax is reached',
        }),
        headerBytesMax: Type.Integer({
          minimum: 4096,
          maximum: 262_144,
          default: 24_576,
          description:
            'maximum size of the headers of one HTTP request. The default fits a token of 16 KiB, the protocol’s maximum, and 8 KiB of cookies and proxy headers. Larger ones are refused with 431. With `workers: 0`, the first node of a process decides',
        }),
        messageBytesMax: Type.Integer({ minimum: 256, maximum: 1_048_576, default: 65_536, description: 'largest message from a client' }),
        messagesPerSecondMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 100,
          description: 'messages per second from one connection, with a burst of the same number. More get `rate_limited`',
        }),
        commandsPerMessageMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 1000,
          description: 'maximum commands in one message (an array)',
        }),
        commandsPerSecondMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description:
            'commands per second from one connection that come in arrays, with a burst of the same number. limits.messagesPerSecondMax counts an array as one message. More get `rate_limited`; refused commands worth two seconds close the connection with 4009',
        }),
        framesPerSecondMax: Type.Integer({
          minimum: 2,
          maximum: 10_000_000,
          default: 1000,
          description:
            'frames per second from one connection, pings and pongs included, with a burst of the same number. Raised to twice limits.messagesPerSecondMax if it is lower. More closes the connection with 4009',
        }),
        bytesPerSecondMax: Type.Integer({
          minimum: 4096,
          maximum: 4_294_967_296,
          default: 524_288,
          description:
            'bytes per second from one connection, with a burst of the same number. More get `rate_limited`; refused bytes worth two seconds close the connection with 4009',
        }),
        errorsPerMinuteMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 60,
          description:
            'client errors per minute before the connection is closed with 4009. Commands refused by a limit of the server do not count',
        }),
        topicsPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 1000,
          description: 'maximum topics that one connection subscribes to',
        }),
        lagThresholdBytes: Type.Integer({
          minimum: 4096,
          maximum: 16_777_216,
          default: 65_536,
          description:
            'bytes waiting for one socket at which the connection becomes a slow consumer. It leaves the fast path. When the socket has drained, it is caught up by the slowConsumer policy of the namespace',
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
        publishesInFlightMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 10_000,
          description: 'maximum client publishes that wait for the log, for the whole node. More get `busy`',
        }),
        publishesPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 64,
          description: 'maximum client publishes of one connection that wait for the log. More get `busy`',
        }),
        callsInFlightMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description: 'maximum calls that wait for their result, for the whole node. More get `busy`',
        }),
        callsPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 32,
          description: 'maximum calls of one connection that wait for their result. More get `busy`',
        }),
        callTimeoutMaxMs: Type.Integer({
          minimum: 1,
          maximum: 60_000,
          default: 60_000,
          description: 'maximum time for a call. A larger `timeoutMs` is lowered to this',
        }),
        callAnswerBytesMax: Type.Integer({
          minimum: 1,
          maximum: 67_108_864,
          default: 262_144,
          description:
            'maximum size of the result of a call; limits.sendBufferLimitBytes limits it too. A larger result is dropped, and the call fails with `internal`',
        }),
        commandsPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 2048,
          description: 'maximum unanswered commands of one connection, of any type. More get `busy`',
        }),
        commandBytesPerConnectionMax: Type.Integer({
          minimum: 256,
          maximum: 1_073_741_824,
          default: 1_048_576,
          description: 'maximum bytes of unanswered commands of one connection. More get `busy`',
        }),
        commandBytesInFlightMax: Type.Integer({
          minimum: 65_536,
          maximum: 68_719_476_736,
          default: 67_108_864,
          description: 'the same for all connections of the node. Each worker has an equal share',
        }),
        unreadBytesPerConnectionMax: Type.Integer({
          minimum: 4096,
          maximum: 1_073_741_824,
          default: 1_048_576,
          description:
            'maximum bytes of unread messages of one connection, plus 128 for each message. Messages wait while the worker is overloaded. More closes the connection with 4102',
        }),
        topicsPerNodeMax: Type.Integer({
          minimum: 1,
          maximum: 10_000_000,
          default: 100_000,
          description: 'maximum open topics of a node. More get `busy`',
        }),
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
        historyBytesMax: Type.Integer({
          minimum: 65_536,
          maximum: 268_435_456,
          default: 4_194_304,
          description:
            'maximum bytes of publications in the answer to one `history` request of a client. An answer that reaches it has `more: true`',
        }),
        historyPageBytesMax: Type.Integer({
          minimum: 1024,
          maximum: 4_194_304,
          default: 65_536,
          description:
            'bytes that are read at once for such an answer, while the client’s socket has room. At least one publication is read',
        }),
        historiesPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 128,
          description: 'maximum unanswered `history` requests of one connection, which are answered one after the other. More get `busy`',
        }),
        answerBytesPerWorkerMax: Type.Integer({
          minimum: 65_536,
          maximum: 4_294_967_296,
          default: 33_554_432,
          description:
            'maximum bytes of simultaneous answers (history, recovery) to one worker. A request reserves the maximum size of its answer, and waits until that is free',
        }),
        answerBytesPerNodeMax: Type.Integer({
          minimum: 65_536,
          maximum: 68_719_476_736,
          default: 67_108_864,
          description: 'maximum bytes of simultaneous log reads for such answers, for the whole node',
        }),
        answersWaitingMax: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          default: 10_000,
          description: 'maximum waiting requests of a worker, and maximum waiting log reads of a node. More get `busy`',
        }),
        linkQueueBytesMax: Type.Integer({
          minimum: 1_048_576,
          maximum: 4_294_967_296,
          default: 268_435_456,
          description: 'bytes waiting for one worker at which the hub restarts it as unresponsive',
        }),
      },
      { ...closed, default: {} },
    ),

    fanout: Type.Object(
      {
        groupConnectionsMax: Type.Integer({
          minimum: 10,
          maximum: 5000,
          default: 500,
          description:
            'connections in one group. Everything that waits for a group, of all its topics, is sent in one loop turn, with one send per socket. Larger groups cost less CPU if connections follow many topics, but make loop turns longer',
        }),
        frameBytesMax: Type.Integer({
          minimum: 1024,
          maximum: 16_383,
          default: 15_360,
          description:
            'maximum size of a frame that joins several items. uWebSockets does not batch frames of 16 KiB or more. A larger item has its own frame',
        }),
        loopGapMinMs: Type.Number({
          minimum: 0.1,
          maximum: 1000,
          default: 5,
          description: 'lower bound of the target duration of a loop turn. After a shorter turn, more members are flushed per turn',
        }),
        loopGapMaxMs: Type.Number({
          minimum: 0.2,
          maximum: 1000,
          default: 10,
          description: 'upper bound of the target duration of a loop turn. After a longer turn, fewer members are flushed per turn',
        }),
        restMaxMs: Type.Number({
          minimum: 0,
          maximum: 1000,
          default: 65,
          description:
            'maximum pacing delay after a batched flush. The next flush then joins more publications. Slower feeds are never delayed. 0: no delay',
        }),
        holdMaxMs: Type.Number({
          minimum: 0,
          maximum: 60_000,
          default: 2000,
          description:
            'maximum time that publications, and everything behind them, wait in a worker when they arrive faster than members can be served, for example after NATS was away. After that they overrun the ring, and members repair the gap from the log. Topics with less than limits.lagThresholdBytes in their ring never wait. 0: no wait',
        }),
        workerRingBytesMax: Type.Integer({
          minimum: 1_048_576,
          maximum: 68_719_476_736,
          default: 268_435_456,
          description: 'maximum bytes of recent items that a worker keeps for all topics. The oldest are removed first',
        }),
      },
      { ...closed, default: {} },
    ),

    hub: Type.Object(
      {
        linkBatchMs: Type.Number({
          minimum: 0,
          maximum: 100,
          default: 4,
          description:
            'time for which publications for a worker are collected into one write while they come fast: about 800 per second or more. Slower ones never wait. 0: one write per loop turn',
        }),
        topicLingerMs: Type.Integer({
          minimum: 0,
          maximum: 600_000,
          default: 10_000,
          description: 'how long a topic stays open after its last subscriber on the node has left',
        }),
        watchdogIntervalMs: Type.Integer({
          minimum: 10,
          maximum: 60_000,
          default: 1500,
          description:
            'time between two checks of a log follower against the end of the log. A follower that is behind and received nothing in between is restarted',
        }),
        retryPauseMs: Type.Integer({
          minimum: 1,
          maximum: 60_000,
          default: 250,
          description: 'first pause before following or reading a log is retried. It doubles up to 5 s',
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
        readCacheBytesMax: Type.Integer({
          minimum: 0,
          maximum: 68_719_476_736,
          default: 33_554_432,
          description: 'maximum bytes of log reads for history that the hub caches for a few seconds, for the next pages of an answer',
        }),
        announceIntervalMs: Type.Integer({
          minimum: 0,
          maximum: 60_000,
          default: 2000,
          description: 'time between two status announcements to the other nodes on the same NATS, for their operator’s pages. 0: never',
        }),
        nodesMax: Type.Integer({
          minimum: 0,
          maximum: 100_000,
          default: 1000,
          description: 'maximum other nodes that a node remembers. More are not shown',
        }),
        workerRestartBackoffMs: Type.Integer({
          minimum: 10,
          maximum: 60_000,
          default: 100,
          description: 'first pause before a crashed worker is restarted. It doubles up to 30 s',
        }),
        drainTimeoutMs: Type.Integer({
          minimum: 0,
          maximum: 600_000,
          default: 20_000,
          description: 'maximum time of a drain. The remaining connections are then cut',
        }),
        drainConnectionsPerSecond: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description: 'connections closed per second and worker during a drain',
        }),
      },
      { ...closed, default: {} },
    ),

    memory: Type.Object(
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
        maxBytes: Type.Integer({
          minimum: 65_536,
          default: 268_435_456,
          description: 'maximum bytes of history in the memory bus, for all namespaces. The oldest publications are removed first',
        }),
      },
      { ...closed, default: {} },
    ),

    log: Type.Object(
      {
        level: Type.Union(
          [
            Type.Literal('trace'),
            Type.Literal('debug'),
            Type.Literal('info'),
            Type.Literal('warn'),
            Type.Literal('error'),
            Type.Literal('fatal'),
            Type.Literal('silent'),
          ],
          { default: 'info', description: 'lowest level that is logged' },
        ),
        pretty: Type.Boolean({ default: false, description: 'true: text for people. false: lines of JSON' }),
      },
      { ...closed, default: {} },
    ),

    namespaces: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), NamespaceSchema, {
      default: DEFAULT_NAMESPACES,
      description: 'options of each namespace. Setting it replaces all built-in namespaces',
    }),
  },
  closed,
);

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The whole configuration, checked, with defaults; made by `loadConfig`, frozen. */
export type Config = DeepReadonly<Static<typeof ConfigSchema>>;
export type NamespaceOptions = DeepReadonly<Static<typeof NamespaceSchema>>;
export type AuthKeyOptions = DeepReadonly<Static<typeof AuthKey>>;
export type SlowConsumerPolicy = NamespaceOptions['slowConsumer'];
export type PayloadKind = NamespaceOptions['payload'];
