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
      description: 'how long a publication is kept',
    }),
    maxBytes: Type.Integer({ minimum: 65_536, default: 268_435_456, description: 'bytes kept for the whole namespace; the oldest go' }),
    clientItemsMax: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 10_000,
      description:
        'publications that one `history` request of a client may bring; a request for more gets so many. 0: clients may not read the history (`unsupported`)',
    }),
  },
  { ...closed, default: {} },
);

export const NamespaceSchema = Type.Object(
  {
    durable: Type.Boolean({
      default: true,
      description: 'kept in a log: ordered, no gap, no duplicate, history, recovery; false: at most once',
    }),
    keyed: Type.Boolean({
      default: false,
      description: "a publication is about a key, the last token of its NATS subject; the latest per key is the topic's state",
    }),
    topicTokens: Type.Integer({
      minimum: 0,
      maximum: 8,
      default: 0,
      description:
        'tokens of every topic, the namespace included: `ticks.fx` has 2. A subject with more or fewer is refused, logged and counted, so that a forgotten key, or one with a dot, shows. 0: any number',
    }),
    public: Type.Boolean({ default: false, description: 'subscribing needs no token' }),
    clientPublish: Type.Boolean({ default: false, description: 'clients whose token permits it may publish' }),
    payload: Type.Union([Type.Literal('json'), Type.Literal('msgpack'), Type.Literal('bytes')], {
      default: 'json',
      description: 'what producers put into NATS messages; a Content-Type header overrides it per message',
    }),
    history: History,
    mirror: Type.String({
      default: '',
      description:
        'a stream that mirrors `stentor-<name>`, and that this node follows and reads in its place; it publishes to the origin. Only with NATS',
    }),
    mirrorDomain: Type.String({ default: '', description: 'the JetStream domain of the mirror; empty: that of the origin' }),
    slowConsumer: Type.Union([Type.Literal('replay'), Type.Literal('conflate'), Type.Literal('skip'), Type.Literal('close')], {
      default: 'replay',
      description: 'what a connection that fell behind gets when it drains',
    }),
    flushIntervalMs: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description: 'batch for so long even when idle; 0: a publication leaves at once',
    }),
    maxPayloadBytes: Type.Integer({
      minimum: 1,
      maximum: 1_048_576,
      default: 65_536,
      description: 'a larger publication is refused (from a client) or counted and skipped (from a producer)',
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
    kid: Type.Optional(Type.String({ description: 'key id; a token that names another is not checked with this key' })),
    alg: Type.Union([Type.Literal('HS256'), Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')], {
      description: 'the only algorithm this key is used with',
    }),
    secret: Type.Optional(Type.String({ minLength: 32, description: 'HS256 secret, 32 characters at least', secret: true })),
    publicKeyPem: Type.Optional(Type.String({ description: 'SPKI PEM text' })),
    publicKeyFile: Type.Optional(Type.String({ description: 'path of an SPKI PEM file', filePath: true })),
  },
  closed,
);

export const ConfigSchema = Type.Object(
  {
    host: Type.String({ default: '0.0.0.0', description: 'address that WebSocket clients connect to' }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080, description: 'port for WebSocket clients; 0: any free one' }),
    path: Type.String({ pattern: '^/', default: '/ws', description: 'path of the WebSocket endpoint' }),
    nodeId: Type.String({
      maxLength: 64,
      pattern: '^[A-Za-z0-9_-]*$',
      default: '',
      description: 'name of this node in logs, metrics and `connected`; empty: made at start',
    }),
    workers: Type.Integer({
      minimum: 0,
      maximum: 256,
      default: 1,
      description: 'worker processes sharing the port; 0: hub and worker in one process',
    }),
    allowedOrigins: Type.Array(Type.String(), {
      maxItems: 256,
      default: [],
      description: 'Origin headers let in, matched exactly; empty: all. Requests without one are not from a browser and pass',
    }),

    admin: Type.Object(
      {
        host: Type.String({ default: '127.0.0.1', description: 'address of health, metrics and the admin API' }),
        port: Type.Integer({ minimum: 0, maximum: 65_535, default: 9090, description: 'its port; 0: any free one' }),
        token: Type.String({
          default: '',
          description: 'bearer token of the admin API and /metrics; required when admin.host is not loopback',
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
          description: 'keys that tokens are checked with: `alg`, and `secret` (HS256) or `publicKeyPem` or `publicKeyFile`, and `kid`',
        }),
        jwksUrl: Type.String({ default: '', description: 'URL of a JSON Web Key Set' }),
        jwksCooldownMs: Type.Integer({
          minimum: 1000,
          maximum: 600_000,
          default: 30_000,
          description: 'pause between fetches that tokens of unknown keys may cause, and the longest between attempts while they fail',
        }),
        jwksMaxAgeMs: Type.Integer({
          minimum: 1000,
          maximum: ONE_DAY_MS,
          default: 600_000,
          description: 'the keys of auth.jwksUrl are fetched anew after so long: so long a key that was taken out of the set still passes',
        }),
        jwksKeepMs: Type.Integer({
          minimum: 1000,
          maximum: 30 * ONE_DAY_MS,
          default: ONE_DAY_MS,
          description:
            'while auth.jwksUrl cannot be fetched, its last keys are used for so long since they were fetched; then its tokens are `unavailable`',
        }),
        jwksKeysMax: Type.Integer({
          minimum: 1,
          maximum: 1000,
          default: 32,
          description: 'keys of auth.jwksUrl for jwksAlgorithms; a set with more, or with none, counts as one that cannot be fetched',
        }),
        jwksAlgorithms: Type.Array(Type.Union([Type.Literal('RS256'), Type.Literal('ES256'), Type.Literal('EdDSA')]), {
          maxItems: 3,
          default: ['RS256', 'ES256', 'EdDSA'],
          description: 'algorithms that JWKS keys may be used with',
        }),
        issuer: Type.String({ default: '', description: 'required `iss`; empty: not checked' }),
        audience: Type.String({ default: '', description: 'required `aud`; empty: not checked' }),
        clockToleranceMs: Type.Integer({ minimum: 0, maximum: 300_000, default: 5000, description: 'how far clocks may differ' }),
        allowQueryToken: Type.Boolean({ default: false, description: 'also take the token from ?token=; it ends up in proxies’ logs' }),
      },
      { ...closed, default: {} },
    ),

    heartbeat: Type.Object(
      {
        pingIntervalMs: Type.Integer({ minimum: 100, maximum: 600_000, default: 25_000, description: 'ping a connection this often' }),
        pongTimeoutMs: Type.Integer({
          minimum: 50,
          maximum: 60_000,
          default: 5000,
          description: 'time for the pong; two misses in a row close the connection',
        }),
        connectTimeoutMs: Type.Integer({
          minimum: 100,
          maximum: 60_000,
          default: 5000,
          description: 'time for the first message where a connect is needed',
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
          description: 'connections a worker takes; more are refused with 503. Lowered at start to what the descriptor limit allows',
        }),
        connectsPerSecondMax: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          default: 0,
          description:
            'connections a worker takes a second, and a second’s worth more at once, so that a new node fills slowly and a storm of reconnects leaves time for who is there; more are refused with 503. 0: as many as come',
        }),
        connectsWaitingMax: Type.Integer({
          minimum: 1,
          maximum: 65_536,
          default: 4096,
          description:
            'connections that may wait for a worker to accept them, rounded up to a multiple of 512; the kernel drops more, and their clients try again after 1 s, then 2. Other systems than Linux: 512',
        }),
        handshakesMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 8192,
          description:
            'connections of a worker that have not made their upgrade request yet, three quarters of them at most from one address (IPv6: /64). At the bound the worker stops listening until some have ended, which takes 12 s at most. Lowered at start to a quarter of what the descriptor limit allows',
        }),
        handshakeGraceMs: Type.Integer({
          minimum: 1,
          maximum: 12_000,
          default: 1000,
          description:
            'a connection that has waited for so long with its request may be cut when its place is wanted, where it can be told',
        }),
        headerBytesMax: Type.Integer({
          minimum: 4096,
          maximum: 262_144,
          default: 24_576,
          description:
            'headers of one HTTP request: a token of 16 KiB, the most that the protocol permits, and 8 KiB for a site’s cookies and what proxies add. More is refused with 431. With `workers: 0` the first node of a process decides',
        }),
        messageBytesMax: Type.Integer({ minimum: 256, maximum: 1_048_576, default: 65_536, description: 'largest message from a client' }),
        messagesPerSecondMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 100,
          description: 'messages a second from one connection; a burst of as many again',
        }),
        commandsPerMessageMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 1000,
          description: 'commands that one message may hold as an array',
        }),
        commandsPerSecondMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description:
            'commands a second from one connection that come in arrays, which limits.messagesPerSecondMax counts as one message each; a burst of as many again. More get `rate_limited`, and two seconds’ worth of them close the connection with 4009',
        }),
        framesPerSecondMax: Type.Integer({
          minimum: 2,
          maximum: 10_000_000,
          default: 1000,
          description:
            'frames a second from one connection, pings and pongs included, and never less than twice limits.messagesPerSecondMax; a burst of as many again. More closes the connection with 4009',
        }),
        bytesPerSecondMax: Type.Integer({
          minimum: 4096,
          maximum: 4_294_967_296,
          default: 524_288,
          description:
            'bytes a second from one connection; a burst of as many again. What comes above that is refused with `rate_limited`, and two seconds’ worth of it close the connection with 4009',
        }),
        errorsPerMinuteMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 60,
          description:
            "a client's own mistakes a minute before its connection is closed with 4009; what the server's limits refuse does not count",
        }),
        topicsPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 1000,
          description: 'topics one connection may subscribe to',
        }),
        lagThresholdBytes: Type.Integer({
          minimum: 4096,
          maximum: 16_777_216,
          default: 65_536,
          description:
            "bytes waiting for one socket before the connection counts as lagging: it leaves the fast path, and is caught up by the namespace's slowConsumer policy when it drains",
        }),
        sendBufferLimitBytes: Type.Integer({
          minimum: 65_536,
          maximum: 268_435_456,
          default: 1_048_576,
          description: 'bytes waiting for one socket before it is closed with 4103',
        }),
        slowTimeoutMs: Type.Integer({
          minimum: 100,
          maximum: 3_600_000,
          default: 60_000,
          description: 'how long a connection may lag before it is closed with 4103',
        }),
        publishesInFlightMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 10_000,
          description: 'client publishes waiting for the log, for the whole node; more get `busy`',
        }),
        publishesPerConnectionMax: Type.Integer({ minimum: 1, maximum: 10_000, default: 64, description: 'the same for one connection' }),
        callsInFlightMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description: 'calls waiting for whoever serves them, for the whole node; more get `busy`',
        }),
        callsPerConnectionMax: Type.Integer({ minimum: 1, maximum: 10_000, default: 32, description: 'the same for one connection' }),
        callTimeoutMaxMs: Type.Integer({
          minimum: 1,
          maximum: 60_000,
          default: 60_000,
          description: 'longest time that a call may wait; a greater `timeoutMs` counts as this',
        }),
        callAnswerBytesMax: Type.Integer({
          minimum: 1,
          maximum: 67_108_864,
          default: 262_144,
          description:
            'largest answer to a call, and never more than limits.sendBufferLimitBytes; a larger one is dropped, and the call fails with `internal`',
        }),
        commandsPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 2048,
          description: 'commands of one connection, of any type, that are not answered yet; more get `busy`',
        }),
        commandBytesPerConnectionMax: Type.Integer({
          minimum: 256,
          maximum: 1_073_741_824,
          default: 1_048_576,
          description: 'their bytes',
        }),
        commandBytesInFlightMax: Type.Integer({
          minimum: 65_536,
          maximum: 68_719_476_736,
          default: 67_108_864,
          description: 'the same for all connections of the node; each worker has its share',
        }),
        unreadBytesPerConnectionMax: Type.Integer({
          minimum: 4096,
          maximum: 1_073_741_824,
          default: 1_048_576,
          description:
            'bytes of messages of one connection, and 128 for each, that wait because the worker has more to read than it has time for; more closes the connection with 4102',
        }),
        topicsPerNodeMax: Type.Integer({
          minimum: 1,
          maximum: 10_000_000,
          default: 100_000,
          description: 'topics open on a node at once; more get `busy`',
        }),
        keysPerTopicMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 10_000,
          description: 'keys whose latest item is kept for snapshots; past it the least recently changed goes',
        }),
        ringItemsMax: Type.Integer({
          minimum: 16,
          maximum: 1_000_000,
          default: 4096,
          description: 'recent items a worker keeps per topic for recovery',
        }),
        ringBytesMax: Type.Integer({ minimum: 65_536, maximum: 1_073_741_824, default: 4_194_304, description: 'their bytes, per topic' }),
        recoveryItemsMax: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 20_000,
          description: 'publications that one `subscribe` with `since` brings back; who has missed more gets the topic’s state instead',
        }),
        recoveryBytesMax: Type.Integer({
          minimum: 65_536,
          maximum: 268_435_456,
          default: 4_194_304,
          description: 'their bytes',
        }),
        recoveryCacheBytesMax: Type.Integer({
          minimum: 0,
          maximum: 68_719_476_736,
          default: 67_108_864,
          description: 'bytes of such publications that a worker keeps for a few seconds, for others who come back to the same topics',
        }),
        historyBytesMax: Type.Integer({
          minimum: 65_536,
          maximum: 268_435_456,
          default: 4_194_304,
          description: 'bytes of publications that one `history` request of a client brings; its answer then says that there is more',
        }),
        historyPageBytesMax: Type.Integer({
          minimum: 1024,
          maximum: 4_194_304,
          default: 65_536,
          description: 'bytes of them that are asked for at once, when the client’s socket has room; one publication in any case',
        }),
        historiesPerConnectionMax: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 128,
          description: '`history` requests of one connection that are not answered yet, one of them under way; more get `busy`',
        }),
        answerBytesPerWorkerMax: Type.Integer({
          minimum: 65_536,
          maximum: 4_294_967_296,
          default: 33_554_432,
          description:
            'bytes that answers to one worker (history, recovery) may bring at once; a question takes what its answer may have, and waits until that fits',
        }),
        answerBytesPerNodeMax: Type.Integer({
          minimum: 65_536,
          maximum: 68_719_476_736,
          default: 67_108_864,
          description: 'bytes that reads of the log for such answers may bring at once, for the whole node',
        }),
        answersWaitingMax: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          default: 10_000,
          description: 'such questions of a worker, and such reads of a node, that wait for their bytes; more get `busy`',
        }),
        linkQueueBytesMax: Type.Integer({
          minimum: 1_048_576,
          maximum: 4_294_967_296,
          default: 268_435_456,
          description: 'bytes waiting for one worker before the hub restarts it: it no longer takes anything',
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
            'connections of one group: everything that is pending for a group, of whatever topics, leaves in one loop turn, in one send a socket. Larger groups cost less where connections follow many topics, and make longer turns',
        }),
        frameBytesMax: Type.Integer({
          minimum: 1024,
          maximum: 16_383,
          default: 15_360,
          description: 'largest joined frame; at 16 KiB uWS leaves its batched path. A single larger item has a frame of its own',
        }),
        loopGapMinMs: Type.Number({
          minimum: 0.1,
          maximum: 1000,
          default: 5,
          description: 'shorter loop turns: more members are flushed a turn',
        }),
        loopGapMaxMs: Type.Number({ minimum: 0.2, maximum: 1000, default: 10, description: 'longer loop turns: fewer are' }),
        restMaxMs: Type.Number({
          minimum: 0,
          maximum: 1000,
          default: 65,
          description:
            'longest rest of a topic after a round that joined several publications, so that the next joins more; slower feeds are never delayed. 0: none',
        }),
        holdMaxMs: Type.Number({
          minimum: 0,
          maximum: 60_000,
          default: 2000,
          description:
            'publications that come faster than members can be given them, as when a node catches up after NATS was away, wait so long in one go, and all that comes behind them; then they push older ones out of the ring, and members repair the gap from the log. Topics whose ring has less than limits.lagThresholdBytes in it never wait. 0: none does',
        }),
        workerRingBytesMax: Type.Integer({
          minimum: 1_048_576,
          maximum: 68_719_476_736,
          default: 268_435_456,
          description: 'bytes of recent items a worker keeps for all topics; the oldest go',
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
            'publications that come faster than this wait for each other on their way to a worker; what comes after a pause never waits. 0: one write a loop turn',
        }),
        topicLingerMs: Type.Integer({
          minimum: 0,
          maximum: 600_000,
          default: 10_000,
          description: 'how long a topic stays open after its last local subscriber',
        }),
        watchdogIntervalMs: Type.Integer({
          minimum: 10,
          maximum: 60_000,
          default: 1500,
          description: 'how often the follower of a log is compared with its end; one that got nothing in between is restarted',
        }),
        retryPauseMs: Type.Integer({
          minimum: 1,
          maximum: 60_000,
          default: 250,
          description: 'first pause before a log that cannot be followed or read is tried again; doubles up to 5 s',
        }),
        cacheItemsPerTopicMax: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          default: 4096,
          description: 'recent publications the hub keeps per durable topic without keys, for workers that do not have them; 0: none',
        }),
        cacheBytesPerTopicMax: Type.Integer({
          minimum: 0,
          maximum: 1_073_741_824,
          default: 4_194_304,
          description: 'their bytes, per topic',
        }),
        cacheBytesMax: Type.Integer({
          minimum: 0,
          maximum: 68_719_476_736,
          default: 134_217_728,
          description: 'their bytes, for all topics; the oldest of each go in turn',
        }),
        readCacheBytesMax: Type.Integer({
          minimum: 0,
          maximum: 68_719_476_736,
          default: 33_554_432,
          description:
            'bytes of what was read of the log for history that the hub keeps for a few seconds, for the next pages of the answer',
        }),
        announceIntervalMs: Type.Integer({
          minimum: 0,
          maximum: 60_000,
          default: 2000,
          description: 'how often the node tells the others that share its NATS how it is, for the operator’s page of each. 0: never',
        }),
        nodesMax: Type.Integer({
          minimum: 0,
          maximum: 100_000,
          default: 1000,
          description: 'other nodes that it remembers; more are not shown',
        }),
        workerRestartBackoffMs: Type.Integer({
          minimum: 10,
          maximum: 60_000,
          default: 100,
          description: 'first pause before a crashed worker is started again; doubles up to 30 s',
        }),
        drainTimeoutMs: Type.Integer({
          minimum: 0,
          maximum: 600_000,
          default: 20_000,
          description: 'how long a drain may take before what is left is cut',
        }),
        drainConnectionsPerSecond: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description: 'closes a second, per worker, while draining',
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
          description: 'ids remembered at most, per namespace',
        }),
        maxBytes: Type.Integer({
          minimum: 65_536,
          default: 268_435_456,
          description: 'bytes of history for all namespaces together; the oldest go',
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
          { default: 'info', description: 'least level written' },
        ),
        pretty: Type.Boolean({ default: false, description: 'for people instead of machines' }),
      },
      { ...closed, default: {} },
    ),

    namespaces: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), NamespaceSchema, {
      default: DEFAULT_NAMESPACES,
      description: 'options by namespace; naming any replaces the built-in ones',
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
