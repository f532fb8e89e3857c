import type { TopicSort } from '../../hub/report-types.ts';
import type { NodeAnswer, NodesAnswer } from '../api/schemas/nodes.ts';
import type { TopicsAnswer } from '../api/schemas/topics.ts';
import { Api, Refused } from './api.ts';
import { byId, setText } from './dom.ts';
import { watchPublishBox } from './publish-box.ts';
import type { Look } from './rates.ts';
import { showErrors, showLagging, showNode, showNodes, showState, showTopics, showWorkers } from './show.ts';

const LOOK_EVERY_MS = 2000;
const TOPICS_SHOWN = 25;

const api = new Api();
const publishBox = watchPublishBox(api);
let first: NodeAnswer | undefined;
let last: Look | undefined;
let looking = false;

/** Polls the node and shows the result. Parts that cannot be fetched now stay unchanged, and a line says so. */
async function look(): Promise<void> {
  if (looking || document.hidden) return;
  looking = true;
  try {
    const [node, nodes, topics] = await Promise.all([api.node(), api.nodes(), api.topics(chosenSort(), TOPICS_SHOWN)]);
    show(node, nodes, topics);
    problem('');
  } catch (error) {
    missed(error as Error);
  } finally {
    looking = false;
  }
}

function show(node: NodeAnswer, nodes: NodesAnswer, topics: TopicsAnswer): void {
  const now: Look = { atMs: performance.now(), node };
  // The counters of a node start at 0 when it restarts.
  if (first === undefined || first.nodeId !== node.nodeId || (last !== undefined && last.node.uptimeMs > node.uptimeMs)) first = node;
  showState(node);
  showNode(last, now);
  showNodes(nodes);
  showWorkers(node);
  showTopics(topics);
  showLagging(node.lagging);
  showErrors(first.errors, node.errors);
  byId('main').hidden = false;
  byId('token-form').hidden = true;
  publishBox.allow(node.scopes.includes('publish'), api.token !== '');
  setText(byId('updated'), `as of ${new Date().toLocaleTimeString()}`);
  last = now;
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
document.addEventListener('visibilitychange', () => void look());
setInterval(() => void look(), LOOK_EVERY_MS);
void look();
