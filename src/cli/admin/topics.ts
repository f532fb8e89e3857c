import { Command, Option } from 'commander';
import type { TopicsAnswer } from '../../http/api/schemas/topics.ts';
import { formatNumber } from '../../telemetry/format.ts';
import { print } from '../output.ts';
import { type Column, tableLines } from '../table.ts';
import { AdminApi, noteMissing } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';
import { addPageOptions, noteNext, type PageOptions, pageOf } from './page-options.ts';

interface TopicsOptions extends AdminOptions, PageOptions {
  readonly sort: string;
}

export type Topic = TopicsAnswer['topics'][number];

export const TOPIC_COLUMNS: readonly Column<Topic>[] = [
  { head: 'TOPIC', text: ({ topic }) => topic },
  { head: 'MEMBERS', text: ({ members }) => formatNumber(members), isNumber: true },
  { head: 'LAGGING', text: ({ lagging }) => formatNumber(lagging), isNumber: true },
  { head: 'PUBLICATIONS/S', text: ({ publicationsPerSecond }) => formatNumber(publicationsPerSecond), isNumber: true },
];

export function topicsCommand(): Command {
  const command = new Command('topics')
    .description('list the topics that are open on any node')
    .addOption(new Option('--sort <order>', 'the largest by this, or all by name').choices(['members', 'rate', 'name']).default('members'));
  return addAdminOptions(addPageOptions(command, 'topics'))
    .action(runTopics)
    .addHelpText('after', `${WHERE}\n\nExamples:\n  $ stentor topics\n  $ stentor topics --sort name --prefix scores.epl. --limit 500`);
}

async function runTopics(options: TopicsOptions): Promise<void> {
  const query = { sort: options.sort, ...pageOf(options) };
  const api = await AdminApi.from(options, 'read');
  const answer = await api.get<TopicsAnswer>('topics', query);
  if (options.json) return print(JSON.stringify(answer));
  for (const line of tableLines(TOPIC_COLUMNS, answer.topics)) print(line);
  noteNext(answer, answer.topics.length);
  noteMissing(answer);
}
