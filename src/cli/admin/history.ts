import { Command } from 'commander';
import type { HistoryAnswer } from '../../http/api/schemas/history.ts';
import { badValue } from '../errors.ts';
import { positiveInteger, timeOption, topicArgument } from '../options.ts';
import { note, print } from '../output.ts';
import { printable } from '../table.ts';
import { AdminApi } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';

interface HistoryOptions extends AdminOptions {
  readonly since?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
}

export function historyCommand(): Command {
  const command = new Command('history')
    .description('print what was published to a durable topic: the last publications, oldest first')
    .argument('<topic>', 'for example scores.epl.match-42')
    .option('--since <epoch:offset>', 'what follows this position instead')
    .option(
      '--from <time>',
      'what was published at this time or later instead, for example 2026-03-01T12:00:00Z, or milliseconds since 1970',
    )
    .option('--to <time>', 'with --from or --since: only what was published before this time')
    .option('-n, --limit <n>', 'at most this number of publications (default: 50)');
  return addAdminOptions(command)
    .action(runHistory)
    .addHelpText(
      'after',
      `${WHERE}\n\nExamples:\n  $ stentor history scores.demo --limit 5\n  $ stentor history scores.demo --from 2026-03-01T12:00:00Z --to 2026-03-01T12:05:00Z\n  $ stentor history chat.demo --json | jq '.items[].data'`,
    );
}

async function runHistory(topicText: string, options: HistoryOptions): Promise<void> {
  const topic = topicArgument(topicText);
  const limit = options.limit === undefined ? undefined : positiveInteger('--limit', options.limit);
  const query = { topic, ...positionOf(options.since), ...timesOf(options), limit };
  const api = await AdminApi.from(options, 'read');
  const answer = await api.get<HistoryAnswer>('history', query);
  if (options.json) return print(JSON.stringify(answer));
  for (const item of answer.items) print(lineOf(item));
  const byTime = options.from !== undefined || options.to !== undefined;
  if (!answer.complete && byTime) note('warning: publications of this time may be missing: they may have been removed');
  else if (!answer.complete && options.since !== undefined)
    note('warning: publications after this position are missing: they have been removed, or the position is of another log');
  if (answer.more) note(`there is more: --since ${answer.epoch}:${answer.offset}${options.to === undefined ? '' : ` --to ${options.to}`}`);
  if (answer.items.length === 0) note('nothing was published to it, or nothing is left in the log');
}

function lineOf({ offset, key, data, publishedAtMs, user, removed, patch, tags }: HistoryAnswer['items'][number]): string {
  const parts = [
    `#${offset}`,
    new Date(publishedAtMs).toISOString(),
    key === null ? '' : printable(key),
    removed ? '(removed)' : JSON.stringify(data),
    patch ? '(patch)' : '',
    tags === undefined
      ? ''
      : `(${Object.entries(tags)
          .map(([name, text]) => `${name}: ${text}`)
          .join(', ')})`,
    user === undefined ? '' : `(from ${printable(user)})`,
  ];
  return parts.filter((part) => part !== '').join('  ');
}

function timesOf({ since, from, to }: HistoryOptions): { fromMs?: number; toMs?: number } {
  if (from !== undefined && since !== undefined) throw badValue('--from', from, 'cannot be combined with --since');
  if (to !== undefined && from === undefined && since === undefined) throw badValue('--to', to, 'expected with --from or --since');
  const fromMs = from === undefined ? undefined : timeOption('--from', from);
  const toMs = to === undefined ? undefined : timeOption('--to', to);
  if (fromMs !== undefined && toMs !== undefined && toMs <= fromMs) throw badValue('--to', to as string, 'expected a time after --from');
  return { ...(fromMs !== undefined && { fromMs }), ...(toMs !== undefined && { toMs }) };
}

function positionOf(text: string | undefined): { epoch?: string; offset?: number } {
  if (text === undefined) return {};
  const [, epoch, offset] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (epoch === undefined) throw badValue('--since', text, 'expected <epoch>:<offset>, as printed by publish');
  return { epoch, offset: Number(offset) };
}
