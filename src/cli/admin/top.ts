import { Command } from 'commander';
import type { NodesAnswer } from '../../http/api/schemas/nodes.ts';
import type { TopicsAnswer } from '../../http/api/schemas/topics.ts';
import { parseDuration } from '../duration.ts';
import { positiveInteger } from '../options.ts';
import { print } from '../output.ts';
import { tableLines } from '../table.ts';
import { AdminApi } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';
import { LiveScreen } from './live-screen.ts';
import { NODE_COLUMNS } from './nodes.ts';
import { TOPIC_COLUMNS } from './topics.ts';

interface TopOptions extends AdminOptions {
  readonly interval: string;
  readonly count?: string;
}

/** More topics than a terminal has lines. */
const TOPICS_MAX = 100;
const TOPICS_PRINTED = 20;

interface View {
  readonly atMs: number;
  readonly nodes: NodesAnswer['nodes'];
  readonly topics: TopicsAnswer['topics'];
  readonly topicsTotal: number;
  readonly nodesSilent: readonly string[];
}

export function topCommand(): Command {
  const command = new Command('top')
    .description('watch nodes and their busiest topics: a live table in a terminal; elsewhere it prints once')
    .option('--interval <duration>', 'time between two updates', '2s')
    .option('-n, --count <n>', 'end after this number of updates');
  return addAdminOptions(command)
    .action(runTop)
    .addHelpText(
      'after',
      `${WHERE}\nIn a terminal, q or Ctrl-C ends it. With --json each update is one line.\n\nExamples:\n  $ stentor top\n  $ stentor top --json --count 10 --interval 1s`,
    );
}

async function runTop(options: TopOptions): Promise<void> {
  const intervalMs = parseDuration('--interval', options.interval);
  const isLive = process.stdout.isTTY === true && !options.json;
  const count = options.count === undefined ? (isLive ? Number.POSITIVE_INFINITY : 1) : positiveInteger('--count', options.count);
  const api = await AdminApi.from(options, 'read');
  // A node that cannot be asked at all is an error of the command. Later failures are shown, and it goes on.
  const first = await look(api);
  if (isLive) return watch(api, first, intervalMs, count);
  await show(first, options, 0);
  for (let n = 1; n < count; n++) {
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
    await show(await look(api), options, n);
  }
}

async function look(api: AdminApi): Promise<View> {
  const [{ nodes }, { topics, total, nodesSilent }] = await Promise.all([
    api.get<NodesAnswer>('nodes'),
    api.get<TopicsAnswer>('topics', { sort: 'rate', limit: TOPICS_MAX }),
  ]);
  return { atMs: Date.now(), nodes, topics, topicsTotal: total, nodesSilent };
}

function show(view: View, { json }: TopOptions, at: number): void {
  if (json) return print(JSON.stringify(view));
  if (at > 0) print('');
  for (const line of linesOf(view, view.nodes.length + TOPICS_PRINTED)) print(line);
}

async function watch(api: AdminApi, first: View, intervalMs: number, count: number): Promise<void> {
  const screen = new LiveScreen();
  try {
    let view = first;
    let problem: string | undefined;
    for (let n = 1; ; n++) {
      screen.draw((lines) => [
        `Stentor at ${api.origin}  ${problem ?? new Date(view.atMs).toLocaleTimeString()}  (q ends)`,
        '',
        ...linesOf(view, lines),
      ]);
      if (n >= count || (await screen.wait(intervalMs)) === 'ended') return;
      try {
        view = await look(api);
        problem = undefined;
      } catch (error) {
        problem = `not updated: ${(error as Error).message}`;
      }
      if (screen.hasEnded) return;
    }
  } finally {
    screen.close();
  }
}

/** Nodes, then the topics for which there is room. */
function linesOf({ nodes, topics, topicsTotal, nodesSilent }: View, linesMax: number): string[] {
  const shown = topics.slice(0, Math.max(1, linesMax - nodes.length));
  return [
    ...tableLines(NODE_COLUMNS, nodes),
    '',
    ...tableLines(TOPIC_COLUMNS, shown),
    ...(topicsTotal > shown.length ? [`(${shown.length} of ${topicsTotal} topics)`] : []),
    ...(nodesSilent.length > 0 ? [`no answer from ${nodesSilent.join(', ')}: their topics are missing`] : []),
  ];
}
