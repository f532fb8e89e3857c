import Type from 'typebox';
import { closed } from './closed.ts';

export const NatsTuning = Type.Object(
  {
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
    checkpointIntervalMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 5000,
      description: 'time between two checkpoints of a followed log. A later node uses them to detect a rollback of the log',
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
    subjectsRememberedMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 16_384,
      description:
        'maximum subjects of a namespace that a node remembers the topics of, so that a busy one is read once; about 200 bytes each, twice if it has a history. Above it all are forgotten',
    }),
    filterTopicsMax: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 1000,
      description:
        'maximum topics of a durable namespace that a node asks NATS for by name (nats-server 2.10 or newer). With more topics, it follows the whole namespace. 0: always',
    }),
    filterAbovePerSecond: Type.Integer({
      minimum: 0,
      maximum: 10_000_000,
      default: 2000,
      description: 'it asks by name if the namespace has more publications a second of other topics than this, and than of its own topics',
    }),
    readsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 32,
      description: 'maximum simultaneous log reads of a node (recovery, history, snapshots)',
    }),
    readPageBytesMax: Type.Integer({
      minimum: 4096,
      maximum: 67_108_864,
      default: 1_048_576,
      description:
        'maximum bytes that each of these reads requests from NATS at once, so all together at most `readsInFlightMax` times this. A larger publication comes alone',
    }),
    readsWaitingMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 10_000,
      description: 'maximum waiting log reads. More get `busy`',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Times and bounds of what a node asks of NATS.',
  },
);
