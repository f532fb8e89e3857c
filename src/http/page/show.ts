import type { LaggingFigures, NodeErrors, NodeSummary } from '../../hub/report-types.ts';
import { CLOSE_CODES, CLOSE_REASON_TEXTS } from '../../protocol/close-codes.ts';
import { ERROR_KINDS } from '../../protocol/errors.ts';
import { formatBytes, formatDuration, formatNumber } from '../../telemetry/format.ts';
import type { NodeAnswer, NodesAnswer } from '../api/schemas/nodes.ts';
import type { TopicsAnswer } from '../api/schemas/topics.ts';
import { byId, type Cell, fillPairs, fillTable, setText } from './dom.ts';
import { showBrief } from './folds.ts';
import { helpOf } from './problems.ts';
import { type ErrorLine, type Look, ratesBetween } from './rates.ts';

const UNKNOWN = '–';
const LAGGING_SHOWN = 10;
const number = (value: number): Cell => ({ text: formatNumber(value), className: 'number' });
const text = (value: string): Cell => ({ text: value });
const name = (value: string): Cell => ({ text: value, className: 'name' });

export function showState(node: NodeAnswer | undefined, otherwise = ''): void {
  const state = byId('state');
  setText(state, node === undefined ? otherwise : (node.notReady ?? 'ready'));
  state.dataset.tone = node === undefined ? 'quiet' : node.notReady === null ? 'good' : 'bad';
  if (node !== undefined) document.title = `${node.nodeId} – Stentor operator`;
}

export function showNode(before: Look | undefined, now: Look): void {
  const { node } = now;
  const rates = ratesBetween(before, now);
  const sum = (field: 'connections' | 'subscriptions' | 'lagging') => node.workers.reduce((total, worker) => total + worker[field], 0);
  const rate = (value: number | undefined, format = formatNumber) => (value === undefined ? UNKNOWN : format(value));
  fillPairs(byId('figures'), [
    ['connections', formatNumber(sum('connections'))],
    ['subscriptions', formatNumber(sum('subscriptions'))],
    ['topics open', formatNumber(node.topics)],
    ['lagging', formatNumber(sum('lagging'))],
    ['publications/s in', rate(rates?.publicationsIn)],
    ['deliveries/s out', rate(rates?.deliveries)],
    ['sent/s', rate(rates?.sentBytes, formatBytes)],
    ['commands/s in', rate(rates?.messagesIn)],
  ]);
  showBrief('node-brief', node.nodeId);
  fillPairs(byId('node'), [
    ['node', node.nodeId],
    ['version', node.version],
    ['Node.js', node.nodeVersion],
    ['up for', formatDuration(node.uptimeMs)],
    ['bus', `${node.bus.kind}, ${node.bus.connected ? 'connected' : 'not connected'}`],
    ["clients' port", String(node.port)],
  ]);
}

export function showNodes({ nodes }: NodesAnswer): void {
  const rate = (value: number | null): Cell => ({ text: value === null ? UNKNOWN : formatNumber(value), className: 'number' });
  const rows = nodes.map((node) => [
    name(node.self ? `${node.nodeId} (this one)` : node.nodeId),
    stateOf(node),
    number(node.connections),
    number(node.connectionsMax),
    number(node.lagging),
    number(node.topics),
    rate(node.publicationsPerSecond),
    rate(node.deliveriesPerSecond),
    { text: formatDuration(node.uptimeMs), className: 'number' },
    text(node.version),
    name(node.host),
  ]);
  fillTable(byId('nodes'), rows, 'None.');
  const connections = nodes.reduce((total, node) => total + node.connections, 0);
  const down = nodes.filter(({ silent, notReady }) => silent || notReady !== null).length;
  showBrief('nodes-brief', down === 0 ? formatNumber(nodes.length) : `${down} of ${nodes.length} not ready`, down === 0 ? 'quiet' : 'bad');
  setText(
    byId('nodes-note'),
    nodes.length > 1
      ? `${nodes.length} nodes, ${formatNumber(connections)} ${connections === 1 ? 'connection' : 'connections'} together`
      : '',
  );
}

function stateOf(node: NodeSummary): Cell {
  const { notReady, heardMsAgo, silent } = node;
  if (silent) return { text: `silent for ${formatDuration(heardMsAgo)}`, className: 'bad' };
  return notReady === null ? { text: 'ready' } : { text: notReady, className: 'bad' };
}

export function showWorkers({ workers, workersSilent }: Pick<NodeAnswer, 'workers' | 'workersSilent'>): void {
  const rows = workers.map(({ index, pid, connections, connectionsMax, subscriptions, lagging }) => [
    number(index),
    { text: String(pid), className: 'number' },
    number(connections),
    number(connectionsMax),
    number(subscriptions),
    number(lagging),
  ]);
  fillTable(byId('workers'), rows, 'No worker responds.');
  showBrief('workers-brief', formatNumber(workers.length), workersSilent === 0 ? 'quiet' : 'bad');
  const note = byId('workers-note');
  note.hidden = workersSilent === 0;
  setText(note, `${workersSilent} ${workersSilent === 1 ? 'worker is' : 'workers are'} too busy to answer: all figures exclude it.`);
}

export function showTopics({ topics, total, workersSilent }: TopicsAnswer): void {
  const rows = topics.map(({ topic, members, lagging, publicationsPerSecond }) => [
    { text: topic, className: 'name', action: 'topic', value: topic },
    number(members),
    number(lagging),
    number(publicationsPerSecond),
    // A lagging connection catches up by itself when its socket accepts data.
    number(publicationsPerSecond * (members - lagging)),
  ]);
  const empty = workersSilent === 0 ? 'No topic is open: there are no subscribers.' : 'The workers are too busy to answer.';
  fillTable(byId('topics'), rows, empty);
  setText(byId('topics-note'), total > topics.length ? `${topics.length} of ${formatNumber(total)} topics` : '');
}

export function showLagging(lagging: readonly LaggingFigures[]): void {
  const rows = lagging
    .slice(0, LAGGING_SHOWN)
    .map(({ connectionId, user, worker, laggingMs, bufferedBytes, topics }) => [
      name(connectionId),
      text(user ?? 'anonymous'),
      number(worker),
      { text: formatDuration(laggingMs), className: 'number' },
      { text: formatBytes(bufferedBytes), className: 'number' },
      number(topics),
    ]);
  fillTable(byId('lagging'), rows, 'None.');
  setText(byId('lagging-note'), lagging.length > rows.length ? 'There are more; the figures at the top have the total.' : '');
}

const KINDS: Record<keyof NodeErrors, string> = {
  sent: 'error sent to a client',
  closed: 'connection closed',
  refused: 'upgrade refused',
  skipped: 'publication skipped',
};

export function showErrors(lines: readonly ErrorLine[]): void {
  const rows = lines.map((line) => [
    { text: KINDS[line.kind], className: 'kind' },
    { text: line.code, href: `help.html#${helpOf(line.kind, line.code)}` },
    number(line.since),
    number(line.count),
    { text: meaningOf(line), className: 'note' },
  ]);
  fillTable(byId('errors'), rows, 'None.');
}

const CLOSE_TEXTS = new Map<string, string>([
  ['1000', 'the client closed the connection'],
  ['1001', 'the client left'],
  ['1005', 'the client closed without a reason'],
  ['1006', 'the connection was lost, without a close frame'],
  ...Object.entries(CLOSE_CODES).map(([reason, code]): [string, string] => {
    return [String(code), CLOSE_REASON_TEXTS[reason as keyof typeof CLOSE_REASON_TEXTS]];
  }),
]);

const SKIPPED_TEXTS: Readonly<Record<string, string>> = {
  malformed: 'the payload does not match its Content-Type, or the payload option of the namespace',
  too_big: "the payload exceeds the namespace's maxPayloadBytes",
  wrong_depth: 'the NATS subject has too few or too many tokens: a missing key, or a key with a dot',
  bad_token: 'the NATS subject has a token outside the grammar, for example a key with a slash',
  key_mismatch: 'the Stentor-Key header names another key than the subject',
};

function meaningOf({ kind, code }: ErrorLine): string {
  if (kind === 'sent') return (ERROR_KINDS as Record<string, { meaning: string }>)[code]?.meaning ?? '';
  if (kind === 'skipped') return SKIPPED_TEXTS[code] ?? '';
  if (kind === 'closed') return CLOSE_TEXTS.get(code) ?? '';
  return '';
}
