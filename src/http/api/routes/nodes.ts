import { packageVersion } from '../../../telemetry/version.ts';
import { route } from '../route.ts';
import { NodeAnswer, NodesAnswer } from '../schemas/nodes.ts';

const version = packageVersion();

export const node = route({
  method: 'GET',
  path: '/api/node',
  operationId: 'node',
  summary: 'The node that answers',
  scope: 'read',
  answer: NodeAnswer,
  handle: async (_, { sources, scopes }) => ({
    nodeId: sources.nodeId,
    version,
    nodeVersion: process.version,
    uptimeMs: Math.round(process.uptime() * 1000),
    port: sources.port,
    bus: sources.bus(),
    notReady: sources.notReady() ?? null,
    scopes,
    ...(await sources.operator.figures()),
  }),
});

export const nodes = route({
  method: 'GET',
  path: '/api/nodes',
  operationId: 'nodes',
  summary: 'All nodes that share the bus',
  description: 'As each last announced itself. A silent node stays in the list for a minute.',
  scope: 'read',
  answer: NodesAnswer,
  handle: async (_, { sources }) => ({ nodes: await sources.nodes() }),
});
