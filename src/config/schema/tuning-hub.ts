import Type from 'typebox';
import { closed } from './closed.ts';

export const HubTuning = Type.Object(
  {
    linkBatchMs: Type.Number({
      minimum: 0,
      maximum: 100,
      default: 4,
      description:
        'time for which publications for a worker are collected into one write while they come fast: about 800 per second or more. Slower ones never wait. 0: one write per loop turn',
    }),
    linkQueueBytesMax: Type.Integer({
      minimum: 1_048_576,
      maximum: 4_294_967_296,
      default: 268_435_456,
      description: 'bytes waiting for one worker at which the hub restarts it as unresponsive',
    }),
    linkAnswersBytesMax: Type.Integer({
      minimum: 1024,
      maximum: 4_294_967_296,
      default: 262_144,
      description:
        'bytes waiting for one worker above which answers (states of topics, histories, what clients missed) wait in the hub: publications wait behind as much at most',
    }),
    topicLingerMs: Type.Integer({
      minimum: 0,
      maximum: 600_000,
      default: 10_000,
      description: 'how long a topic stays open after its last subscriber on the node has left',
    }),
    topicOpeningsMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 256,
      description:
        'topics of a namespace that a worker asks the hub to open at the same time, and that the hub opens at the same time. Further ones wait: of each user, or address without a user, one in turn. A larger number delays publications while many new topics are opened',
    }),
    watchdogIntervalMs: Type.Integer({
      minimum: 10,
      maximum: 60_000,
      default: 1500,
      description:
        'time between two checks of a log follower against the end of the log. A follower that is behind and received nothing in between is restarted',
    }),
    imageIntervalMs: Type.Integer({
      minimum: 300,
      maximum: 3_600_000,
      default: 30_000,
      description:
        'minimum time between two images of a document in its log (`image.<topic>`), whatever the number of nodes. An image comes sooner only where the log may soon remove what the document is folded from. All nodes should have the same',
    }),
    retryPauseMs: Type.Integer({
      minimum: 1,
      maximum: 60_000,
      default: 250,
      description: 'first pause before following or reading a log is retried. It doubles up to 5 s',
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
    findTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 4000,
      description:
        'how long a node waits for other nodes when an operator asks for users, connections or topics of all nodes. The answer names those that did not answer. A busy worker gets 3 s',
    }),
    findsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 16,
      description:
        'maximum of such questions of one node that wait for answers: more get `busy`. Also the maximum that a node answers at the same time: it ignores more',
    }),
    findAnswerBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 1_048_576,
      default: 262_144,
      description: 'maximum bytes of a node’s answer. What does not fit comes with the next page. At most max_payload of the NATS server',
    }),
    findBytesMax: Type.Integer({
      minimum: 1_048_576,
      maximum: 1_073_741_824,
      default: 16_777_216,
      description: 'maximum bytes of the answers of all nodes to one question. Nodes whose answers exceed it count as silent',
    }),
    orderTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 1000,
      description:
        'how long a node waits until all workers and all other nodes that it knows have carried out an order to end connections, subscriptions or tokens. The answer names the nodes that have not',
    }),
    ordersInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 100,
      description: 'maximum such orders of one node that wait for answers: more get `busy`',
    }),
    orderBytesMax: Type.Integer({
      minimum: 4096,
      maximum: 1_073_741_824,
      default: 1_048_576,
      description: 'maximum bytes of the answers of all nodes to one such order. Nodes whose answers exceed it count as silent',
    }),
    userInterestMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description:
        'maximum users of a node whose NATS subjects it subscribes to one by one: `feed.user.<user>`, and `stentor.users.<user>` for limits.connectionsPerUserMax. With more, it subscribes to the subjects of all users, and drops what it does not need',
    }),
    workerRestartBackoffMs: Type.Integer({
      minimum: 10,
      maximum: 60_000,
      default: 100,
      description: 'first pause before a crashed worker is restarted. It doubles up to 30 s',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'The hub: its links to the workers, its followers of logs, and what it knows of other nodes.',
  },
);
