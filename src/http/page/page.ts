import type { TopicSort } from '../../hub/report-types.ts';
import { formatNumber } from '../../telemetry/format.ts';
import type { NodeAnswer, NodesAnswer } from '../api/schemas/nodes.ts';
import type { SeriesAnswer } from '../api/schemas/series.ts';
import type { TopicsAnswer } from '../api/schemas/topics.ts';
import { Api, Refused } from './api.ts';
import { Charts } from './charts.ts';
import { watchConfirm } from './confirm.ts';
import { byId, onAction, setText } from './dom.ts';
import { watchDrainBox } from './drain-box.ts';
import { watchFindBox } from './find-box.ts';
import { openFolds, showBrief } from './folds.ts';
import { problemsOf } from './problems.ts';
import { watchPublishBox } from './publish-box.ts';
import { errorLines, type Look } from './rates.ts';
import { latestOf, linesOf } from './series.ts';
import { showErrors, showLagging, showNode, showNodes, showState, showTopics, showWorkers } from './show.ts';
import { showProblems } from './show-problems.ts';
import { TopicDetail } from './topic-detail.ts';

const LOOK_EVERY_MS = 2000;
const TOPICS_SHOWN = 25;

const api = new Api();
const charts = new Charts(byId('charts'));
const topicDetail = new TopicDetail(api);
const showTopic = (topic: string) => void topicDetail.show(topic);
const publishBox = watchPublishBox(api);
const drainBox = watchDrainBox(api);
const findBox = watchFindBox(api, showTopic);
let first: NodeAnswer | undefined;
let last: Look | undefined;
let series: SeriesAnswer | undefined;
let seriesAtMs = Number.NEGATIVE_INFINITY;
let looking = false;

/** Polls the node and shows the result. Parts that cannot be fetched now stay unchanged, and a line says so. */
async function look(): Promise<void> {
  if (looking || document.hidden) return;
  looking = true;
  try {
    const topicsShown = { sort: chosenSort(), limit: TOPICS_SHOWN };
    const [node, nodes, topics] = await Promise.all([api.node(), api.nodes(), api.topics(topicsShown), lookAtSeries()]);
    show(node, nodes, topics);
    problem('');
  } catch (error) {
    missed(error as Error);
  } finally {
    looking = false;
  }
}

/** Once for each of its points. */
async function lookAtSeries(): Promise<void> {
  if (performance.now() - seriesAtMs < (series?.intervalMs ?? 0)) return;
  series = await api.series();
  seriesAtMs = performance.now();
}

function show(node: NodeAnswer, { nodes }: NodesAnswer, topics: TopicsAnswer): void {
  const now: Look = { atMs: performance.now(), node };
  // The counters of a node start at 0 when it restarts.
  if (first === undefined || first.nodeId !== node.nodeId || (last !== undefined && last.node.uptimeMs > node.uptimeMs)) first = node;
  const errors = errorLines(first.errors, node.errors);
  showState(node);
  showProblems(problemsOf({ node, nodes, series, errors }));
  showNode(last, now);
  showNodes({ nodes });
  showWorkers(node);
  showTopics(topics);
  showLagging(node.lagging);
  showErrors(errors);
  showSeries();
  const connections = node.workers.reduce((sum, worker) => sum + worker.connections, 0);
  const lagging = nodes.reduce((sum, one) => sum + one.lagging, 0);
  showBrief('topics-brief', formatNumber(topics.total));
  showBrief('lagging-brief', formatNumber(lagging), lagging > 0 ? 'warn' : 'quiet');
  const recent = errors.reduce((sum, { since }) => sum + since, 0);
  showBrief('errors-brief', recent === 0 ? 'none new' : `${formatNumber(recent)} new`, recent > 0 ? 'warn' : 'quiet');
  byId('main').hidden = false;
  byId('token-form').hidden = true;
  const hasToken = api.token !== '';
  publishBox.allow(node.scopes.includes('publish'), hasToken);
  findBox.allow(node.scopes.includes('admin'));
  drainBox.allow(node.nodeId, connections, node.scopes.includes('admin'));
  setText(byId('updated'), `as of ${new Date().toLocaleTimeString()}`);
  last = now;
}

/** The choice of a node, and its charts. */
function showSeries(): void {
  if (series === undefined) return;
  const choice = byId<HTMLSelectElement>('charts-node');
  const names = series.series.map(({ nodeId }) => nodeId);
  const known = [...choice.options].slice(1).map(({ value }) => value);
  if (String(names) !== String(known)) {
    const chosen = choice.value;
    choice.replaceChildren(choice.options[0] as Node, ...names.map((name) => new Option(name, name)));
    choice.value = names.includes(chosen) ? chosen : '';
  }
  choice.hidden = names.length < 2;
  charts.show(series, choice.value);
  const connections = latestOf(linesOf(series, 'connections', 'sum'));
  showBrief(
    'history-brief',
    connections === null ? '' : `${formatNumber(connections)} ${connections === 1 ? 'connection' : 'connections'}`,
  );
  const silent = series.nodesSilent;
  setText(byId('charts-note'), silent.length === 0 ? '' : `No answer from ${silent.join(', ')}.`);
}

function missed(error: Error): void {
  if (error instanceof Refused && error.status === 401) {
    askForToken();
    showState(undefined, 'locked');
    return problem(api.token === '' ? 'This node requires the admin token.' : 'The admin token is wrong.');
  }
  showState(undefined, 'not reached');
  problem(error instanceof Refused ? `The node refused: ${error.message}` : `The node cannot be reached: ${error.message}`);
}

function problem(text: string): void {
  byId('problem').hidden = text === '';
  setText(byId('problem'), text);
}

function chosenSort(): TopicSort {
  return document.querySelector<HTMLInputElement>('input[name="sort"]:checked')?.value === 'rate' ? 'rate' : 'members';
}

/** Hides everything, because only a holder of the token may see it. */
function askForToken(): void {
  byId('main').hidden = true;
  byId('token-forget').hidden = true;
  const form = byId('token-form');
  if (!form.hidden) return;
  form.hidden = false;
  byId('token').focus();
}

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = byId<HTMLInputElement>('token');
  api.token = input.value;
  input.value = '';
  byId('token-forget').hidden = api.token === '';
  void look();
});
byId('token-forget').addEventListener('click', () => {
  api.token = '';
  void look();
});
for (const radio of document.querySelectorAll('input[name="sort"]')) radio.addEventListener('change', () => void look());
onAction(byId('topics'), (_, topic) => showTopic(topic));
byId('charts-node').addEventListener('change', showSeries);
document.addEventListener('visibilitychange', () => void look());
watchConfirm();
openFolds();
setInterval(() => void look(), LOOK_EVERY_MS);
void look();
