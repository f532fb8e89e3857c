import Type from 'typebox';

const closed = { additionalProperties: false } as const;

/** How the node reaches NATS, and what it expects there. */
export const NatsSchema = Type.Object(
  {
    url: Type.String({
      default: '',
      description:
        'one or more NATS servers, comma-separated; `tls://` before any of them turns TLS on for all. Empty: the embedded memory bus (one node only)',
    }),
    credsFile: Type.String({
      default: '',
      description: 'path of a NATS .creds file. This and the other files of `nats` are read anew for every attempt to connect',
      filePath: true,
    }),
    nkeySeedFile: Type.String({ default: '', description: 'path of a file with an nkey seed (`SU…`)', filePath: true }),
    user: Type.String({ default: '', description: 'NATS user' }),
    userFile: Type.String({ default: '', description: 'path of a file with the NATS user', filePath: true }),
    password: Type.String({ default: '', description: 'NATS password', secret: true }),
    passwordFile: Type.String({ default: '', description: 'path of a file with the NATS password', filePath: true }),
    token: Type.String({ default: '', description: 'NATS token', secret: true }),
    tokenFile: Type.String({ default: '', description: 'path of a file with the NATS token', filePath: true }),
    tlsCaFile: Type.String({
      default: '',
      description:
        'CA that signed the servers’ certificates; default: those that Node trusts. Any tls setting turns TLS on, for all servers',
      filePath: true,
    }),
    tlsCertFile: Type.String({ default: '', description: 'client certificate', filePath: true }),
    tlsKeyFile: Type.String({ default: '', description: 'client key', filePath: true }),
    tlsHandshakeFirst: Type.Boolean({
      default: false,
      description: 'TLS begins before the server says a word, for servers (2.10 or newer) with `handshake_first`',
    }),
    jetstreamDomain: Type.String({
      default: '',
      description:
        'the JetStream domain that streams and the bucket are in, where it is not that of the servers connected to: a hub’s, seen from a leaf node',
    }),
    jetstreamApiPrefix: Type.String({
      default: '',
      description:
        'prefix of the JetStream API, where another account exports it under one; empty: `$JS.API`, or what jetstreamDomain makes of it',
    }),
    inboxPrefix: Type.String({
      default: '',
      description: 'prefix of the subjects on which answers come, for users that may subscribe to no others; empty: `_INBOX`',
    }),
    streamReplicas: Type.Integer({
      minimum: 1,
      maximum: 5,
      default: 1,
      description: 'replicas of the streams that are created; use 3 in production',
    }),
    manageStreams: Type.Boolean({
      default: true,
      description:
        'create missing streams, and the bucket `stentor-lives`; false: they must exist. The bucket `stentor-epochs`, which is in NATS’ memory, is made in any case',
    }),
    epochStorage: Type.Union([Type.Literal('memory'), Type.Literal('file')], {
      default: 'file',
      description:
        'where NATS keeps which life of its log each namespace is in while all nodes and all of NATS are down. `file`: in the bucket `stentor-lives`; clients go on afterwards, but for those that had more than the last checkpoint saw. `memory`: nowhere; all clients start over',
    }),
    checkpointIntervalMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 5000,
      description: 'how often a node that follows a log stores how far, so that a later one can tell a log that was rolled back',
    }),
    connectTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 120_000,
      default: 10_000,
      description: 'how long the first connection may take before the node gives up',
    }),
    awayGraceMs: Type.Integer({
      minimum: 0,
      maximum: 60_000,
      default: 500,
      description: 'how long NATS may be away before clients are told so with `feed`; noticing takes up to 3 s more',
    }),
    whenAway: Type.Union([Type.Literal('stay'), Type.Literal('close')], {
      default: 'stay',
      description: 'what happens to connections then: `close` says `closing` and closes them with 4104, and refuses new ones with 503',
    }),
    requestTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 5000,
      description: 'how long a request to NATS may take',
    }),
    publishBudgetMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 60_000,
      description: 'how long an unanswered durable publish is sent again before its outcome counts as unknown',
    }),
    subjectCheckIntervalMs: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 10_000,
      description:
        'how often the subjects of a stream that nobody on this node follows are looked through for those that are no topic, to log and count them; only when something was published. 0: never',
    }),
    subjectCheckMax: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 10_000,
      description:
        'subjects of a stream that are looked through, at about 1.5 µs of CPU each; in one with more, only those of a wrong depth are found while nobody follows it',
    }),
    readsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 32,
      description: 'reads of the log (recovery, history, snapshots) that a node makes at once',
    }),
    readsWaitingMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 10_000,
      description: 'reads that wait for their turn; more get `busy`',
    }),
  },
  { ...closed, default: {} },
);
