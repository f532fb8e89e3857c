import Type, { type Static } from 'typebox';
import { Count, count } from './common.ts';

const Worker = Type.Object(
  {
    index: Count,
    pid: Count,
    connections: Count,
    connectionsMax: Count,
    subscriptions: count('of all connections'),
    lagging: count('connections whose sockets do not keep up now'),
  },
  { title: 'Worker' },
);

const Lagging = Type.Object(
  {
    worker: Count,
    connectionId: Type.String(),
    user: Type.Union([Type.String(), Type.Null()], { description: 'null: anonymous' }),
    laggingMs: Type.Number({ minimum: 0 }),
    bufferedBytes: count('bytes that wait in its socket'),
    topics: count('topics for which it is served separately'),
  },
  { title: 'Lagging' },
);

const CodeCount = Type.Object({ code: Type.String(), count: Count }, { title: 'CodeCount' });
const codeCounts = (description: string) => Type.Array(CodeCount, { description });

export const Scope = Type.Union([Type.Literal('publish'), Type.Literal('read'), Type.Literal('admin')], { title: 'Scope' });

export const NodeAnswer = Type.Object(
  {
    nodeId: Type.String(),
    version: Type.String(),
    nodeVersion: Type.String({ description: "Node.js'" }),
    uptimeMs: Count,
    port: count('clients connect to it'),
    bus: Type.Object({ kind: Type.String(), connected: Type.Boolean() }),
    notReady: Type.Union([Type.String(), Type.Null()], { description: 'why the node is not ready; null: it is' }),
    scopes: Type.Array(Scope, { description: 'what the request’s token permits' }),
    topics: count('topics open on this node'),
    workers: Type.Array(Worker, { description: 'sorted by index' }),
    workersSilent: count('workers that did not answer within 3 s. All figures exclude them'),
    lagging: Type.Array(Lagging, { description: 'the connections that have lagged longest, longest first: at most 50 of each worker' }),
    totals: Type.Object(
      {
        publicationsIn: Count,
        deliveries: count('items times members'),
        sentBytes: Count,
        messagesIn: Count,
      },
      { description: 'since the processes started; a restarted worker starts at 0. To get rates, request them twice' },
    ),
    processes: Type.Object(
      {
        memoryBytes: count('resident memory'),
        cpuMs: Type.Number({ minimum: 0, description: 'CPU time since they started' }),
        loopLagMs: Type.Number({
          minimum: 0,
          description: 'longest delay of a timer within ten seconds, of the process where it is longest',
        }),
      },
      { description: 'all processes of the node together' },
    ),
    publishToSocket: Type.Array(Count, {
      description: 'counts of `stentor_publish_to_socket_seconds`: up to each of its bounds, and of all',
    }),
    errors: Type.Object(
      {
        sent: codeCounts("errors sent to clients, by the protocol's error code"),
        closed: codeCounts('connections closed, by close code'),
        refused: codeCounts('upgrades refused, by HTTP status'),
        skipped: codeCounts("producers' publications that were skipped, by reason"),
      },
      { description: 'the most frequent first' },
    ),
  },
  { title: 'Node' },
);
export type NodeAnswer = Static<typeof NodeAnswer>;

const perSecond = (what: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
    description: `${what} a second since the announcement before; null: not known yet`,
  });

const NodeSummary = Type.Object(
  {
    nodeId: Type.String(),
    host: Type.String({ description: 'the host name' }),
    version: Type.String(),
    uptimeMs: Count,
    notReady: Type.Union([Type.String(), Type.Null()], { description: 'why it is not ready; null: it is' }),
    workers: Count,
    connections: Count,
    connectionsMax: Count,
    subscriptions: Count,
    lagging: Count,
    topics: count('open on it'),
    publicationsPerSecond: perSecond('publications'),
    deliveriesPerSecond: perSecond('deliveries'),
    clockOffsetMs: Type.Integer({
      description: 'its clock minus that of the node that answers, as of its last announcement. Too small by the time that this took',
    }),
    self: Type.Boolean({ description: 'true: the node that answers' }),
    heardMsAgo: Count,
    silent: Type.Boolean({
      description: 'true: it has missed several announcements. It is very busy, cut off from the bus, or has stopped',
    }),
    announceIntervalMs: Count,
  },
  { title: 'NodeSummary' },
);

export const NodesAnswer = Type.Object(
  {
    nodes: Type.Array(NodeSummary, { description: 'the node that answers first, then the others that share its bus, sorted by name' }),
  },
  { title: 'Nodes' },
);
export type NodesAnswer = Static<typeof NodesAnswer>;
