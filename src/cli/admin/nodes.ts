import { Command } from 'commander';
import type { NodesAnswer } from '../../http/api/schemas/nodes.ts';
import { formatDuration, formatNumber } from '../../telemetry/format.ts';
import { print } from '../output.ts';
import { type Column, tableLines } from '../table.ts';
import { AdminApi } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';

export type Node = NodesAnswer['nodes'][number];

const rate = (value: number | null) => (value === null ? '?' : formatNumber(value));

export const NODE_COLUMNS: readonly Column<Node>[] = [
  { head: 'NODE', text: ({ nodeId }) => nodeId },
  { head: 'STATE', text: stateOf },
  { head: 'CONNECTIONS', text: ({ connections }) => formatNumber(connections), isNumber: true },
  { head: 'MAXIMUM', text: ({ connectionsMax }) => formatNumber(connectionsMax), isNumber: true },
  { head: 'LAGGING', text: ({ lagging }) => formatNumber(lagging), isNumber: true },
  { head: 'TOPICS', text: ({ topics }) => formatNumber(topics), isNumber: true },
  { head: 'PUBLICATIONS/S', text: ({ publicationsPerSecond }) => rate(publicationsPerSecond), isNumber: true },
  { head: 'DELIVERIES/S', text: ({ deliveriesPerSecond }) => rate(deliveriesPerSecond), isNumber: true },
  { head: 'UP FOR', text: ({ uptimeMs }) => formatDuration(uptimeMs), isNumber: true },
  { head: 'VERSION', text: ({ version }) => version },
  { head: 'HOST', text: ({ host }) => host },
];

export function nodesCommand(): Command {
  return addAdminOptions(new Command('nodes').description('list the nodes that share the NATS of a node, as each last announced itself'))
    .action(runNodes)
    .addHelpText('after', `${WHERE}\n\nExamples:\n  $ stentor nodes\n  $ stentor nodes --json | jq '.nodes[].connections'`);
}

async function runNodes(options: AdminOptions): Promise<void> {
  const api = await AdminApi.from(options, 'read');
  const answer = await api.get<NodesAnswer>('nodes');
  if (options.json) return print(JSON.stringify(answer));
  for (const line of tableLines(NODE_COLUMNS, answer.nodes)) print(line);
}

function stateOf({ silent, heardMsAgo, notReady }: Node): string {
  return silent ? `silent for ${formatDuration(heardMsAgo)}` : (notReady ?? 'ready');
}
