import Type, { type Static } from 'typebox';
import { count, fromNodes } from './common.ts';

const column = (description: string) =>
  Type.Array(Type.Union([Type.Number(), Type.Null()]), { description: `${description}; null: not known` });

const NodeSeries = Type.Object(
  {
    nodeId: Type.String(),
    self: Type.Boolean({ description: 'true: the node that answers' }),
    atMs: Type.Array(Type.Number(), {
      description: 'by the clock of the node, milliseconds since 1970, oldest first. All columns have this length',
    }),
    connections: column('open connections'),
    deliveriesPerSecond: column('items times members'),
    publicationsPerSecond: column('publications from the bus'),
    publishToSocketP99Ms: column('99th percentile of the time from the log’s timestamp to the hand-over to sockets'),
    lagging: column('connections whose sockets do not keep up'),
    errorsPerSecond: column('errors sent to clients, refused upgrades and skipped publications'),
    memoryBytes: column('resident memory of all processes'),
    cpuCores: column('CPU time of all processes, in cores'),
    loopLagMs: column('longest delay of a timer within ten seconds, of the process where it is longest'),
  },
  { title: 'NodeSeries' },
);

export const SeriesAnswer = Type.Object(
  {
    intervalMs: count('time between two points'),
    series: Type.Array(NodeSeries, { description: 'of each node that has answered, this one first, then by name' }),
    ...fromNodes,
  },
  { title: 'Series' },
);
export type SeriesAnswer = Static<typeof SeriesAnswer>;
