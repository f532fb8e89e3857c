import Type from 'typebox';
import { closed } from './closed.ts';

/** How the node connects to NATS, and what it expects there. */
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
    originSecrets: Type.Array(Type.String({ minLength: 32 }), {
      maxItems: 8,
      secret: true,
      default: [],
      description:
        'secrets of at least 32 characters, the same for all nodes. Nodes sign with the first who has published, and believe `Stentor-User` and `Stentor-Connection` in NATS only with a signature of any of them. The ids of publications with an idempotency key are then secret too. Empty: producers are believed',
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
    whenAway: Type.Union([Type.Literal('stay'), Type.Literal('close')], {
      default: 'stay',
      description:
        'what happens to connections when NATS is away. `stay`: they stay open. `close`: they get `closing` and are closed with 4104, and new ones are refused with 503',
    }),
  },
  { ...closed, default: {}, description: 'How the node reaches NATS, and what it expects there.' },
);
