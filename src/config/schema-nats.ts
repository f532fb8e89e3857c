import Type from 'typebox';

const closed = { additionalProperties: false } as const;

/** How the node reaches NATS, and what it expects there. */
export const NatsSchema = Type.Object(
  {
    url: Type.String({
      default: '',
      description:
        'one or more NATS servers, separated by commas. `tls://` before any of them turns on TLS for all. Empty: the embedded memory bus (one node only)',
    }),
    credsFile: Type.String({
      default: '',
      description: 'path of a NATS .creds file. All files of `nats` are read again for every connection attempt',
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
        'path of the CA certificate of the NATS servers. Empty: the CAs that Node trusts. Any tls setting turns on TLS for all servers',
      filePath: true,
    }),
    tlsCertFile: Type.String({ default: '', description: 'path of the client certificate', filePath: true }),
    tlsKeyFile: Type.String({ default: '', description: 'path of the client key', filePath: true }),
    tlsHandshakeFirst: Type.Boolean({
      default: false,
      description: 'start TLS before the server sends anything, for servers with `handshake_first` (2.10 or newer)',
    }),
    jetstreamDomain: Type.String({
      default: '',
      description:
        'JetStream domain of the streams and buckets, if it is not the domain of the connected servers. For example the domain of the hub, seen from a leaf node',
    }),
    jetstreamApiPrefix: Type.String({
      default: '',
      description:
        'prefix of the JetStream API, if another account exports it under a prefix. Empty: `$JS.API`, or the prefix of nats.jetstreamDomain',
    }),
    inboxPrefix: Type.String({
      default: '',
      description: 'prefix of the reply subjects, for NATS users that may subscribe to no others. Empty: `_INBOX`',
    }),
    streamReplicas: Type.Integer({
      minimum: 1,
      maximum: 5,
      default: 1,
      description: 'replicas of the streams that the node creates. Use 3 in production',
    }),
    manageStreams: Type.Boolean({
      default: true,
      description:
        'true: create missing streams and the bucket `stentor-lives`. false: they must exist. The bucket `stentor-epochs`, in the memory of NATS, is always created',
    }),
    epochStorage: Type.Union([Type.Literal('memory'), Type.Literal('file')], {
      default: 'file',
      description:
        'where the epoch of each log is stored during a full outage of all nodes and NATS. `file`: in the bucket `stentor-lives`; epochs survive restarts, and clients resume unless they are ahead of the last checkpoint. `memory`: after a full outage, clients must resync',
    }),
    checkpointIntervalMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 5000,
      description: 'time between two checkpoints of a followed log. A later node uses them to detect a rollback of the log',
    }),
    connectTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 120_000,
      default: 10_000,
      description: 'maximum time until the first connection to NATS. After that, the node exits with `bus_unreachable`',
    }),
    awayGraceMs: Type.Integer({
      minimum: 0,
      maximum: 60_000,
      default: 500,
      description: 'how long NATS may be away before clients are told with `feed`. Detecting it takes up to 3 s more',
    }),
    whenAway: Type.Union([Type.Literal('stay'), Type.Literal('close')], {
      default: 'stay',
      description:
        'what happens to connections when NATS is away. `stay`: they stay open. `close`: they get `closing` and are closed with 4104, and new ones are refused with 503',
    }),
    requestTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 5000,
      description: 'maximum time for a request to NATS',
    }),
    publishBudgetMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 60_000,
      description: 'how long an unanswered durable publish is retried. Its outcome is then unknown',
    }),
    subjectCheckIntervalMs: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 10_000,
      description:
        'time between two searches for wrong subjects in a stream without a local follower, to log and count them. It searches only if something was published. 0: never',
    }),
    subjectCheckMax: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 10_000,
      description:
        'maximum subjects of a stream for this search; each takes about 1.5 µs of CPU. In a larger stream it finds only subjects with a wrong number of tokens',
    }),
    readsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 32,
      description: 'maximum simultaneous log reads of a node (recovery, history, snapshots)',
    }),
    readsWaitingMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 10_000,
      description: 'maximum waiting log reads. More get `busy`',
    }),
  },
  { ...closed, default: {} },
);
