import { accessSync, constants, createReadStream, statSync } from 'node:fs';
import { Command, Option } from 'commander';
import { badValue, CliError, usageError } from './errors.ts';
import {
  addConfigOptions,
  addNodeOptions,
  type ConfigOptions,
  CREATE_TEXT,
  keyArgument,
  loadFromOptions,
  type NodeOptions,
  positiveNumber,
  topicArgument,
} from './options.ts';
import { print } from './output.ts';
import { openPublisher } from './publisher.ts';
import { readCsv } from './replay/csv.ts';
import { readLines } from './replay/lines.ts';
import { readNdjson } from './replay/ndjson.ts';
import { createProgress } from './replay/progress.ts';
import { type ReplayCounts, type ReplayOutcome, type ReplayPlan, replay } from './replay/run.ts';

/** Number of bad lines that are reported; further ones are only counted. */
const NAMED_BAD_LINES_MAX = 20;

interface ReplayOptions extends ConfigOptions, NodeOptions {
  readonly topic: string;
  readonly speed?: string;
  readonly timeField?: string;
  readonly key?: string;
  readonly keyField?: string;
  readonly format?: 'csv' | 'ndjson';
  readonly strict?: true;
  readonly create?: true;
}

export function replayCommand(): Command {
  const command = new Command('replay')
    .description('publish the records of a file, with their original timing')
    .argument('<file>', 'CSV with a header line, or one JSON value per line')
    .requiredOption('-t, --topic <topic>', 'topic to publish to')
    .option('--time-field <name>', 'name of the field with the time: milliseconds, ISO 8601, or YYYYMMDD HHMMSSmmm; UTC if it has no zone')
    .option(
      '--speed <factor>',
      'factor of the original speed, or max: as fast as acknowledgements arrive (default: 1 with --time-field, else max)',
    )
    .option('-k, --key <key>', 'key of every publication, in keyed namespaces')
    .option('--key-field <name>', 'name of the field with the key of each record')
    .addOption(new Option('--format <format>', 'format of the file (default: by its name)').choices(['csv', 'ndjson']))
    .option('--create', CREATE_TEXT)
    .option('--strict', 'stop at the first invalid line (default: report it and continue)');
  return addNodeOptions(addConfigOptions(command), true)
    .action(runReplay)
    .addHelpText(
      'after',
      `
Publishes directly to NATS if nats.url is set (--nats-url, STENTOR_NATS_URL or the config file), otherwise to a running node over WebSocket,
one at a time and below the node's limit of messages per second. With --url it always publishes to that node. Over NATS the stream of the namespace must exist: a node creates it, or --create does.
Unquoted numbers in CSV become JSON numbers.

Examples:
  $ stentor replay match.ndjson --topic scores.match --time-field atMs --speed 60 --nats-url nats://localhost:4222
  $ stentor replay ticks.csv --topic ticks.fx --key EURUSD --time-field time_utc --speed max --nats-url nats://localhost:4222
  $ stentor replay chat.ndjson --topic chat.lobby --token "$TOKEN"`,
    );
}

async function runReplay(file: string, options: ReplayOptions): Promise<void> {
  const plan = planOf(options);
  const format = options.format ?? formatOf(file);
  const bytesTotal = readableSize(file);
  const { config } = await loadFromOptions(options);
  const publisher = await openPublisher(config, { topic: plan.topic, endpoint: options, create: options.create === true });
  // Opened last, because its errors have a listener from here on.
  const stream = createReadStream(file, { encoding: 'utf8' });
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const progress = createProgress(process.stderr, bytesTotal);
  const startedMs = performance.now();
  let named = 0;
  const events = {
    onBadLine(lineNumber: number, problem: string) {
      if (++named <= NAMED_BAD_LINES_MAX) progress.note(`line ${lineNumber}: ${problem}`);
      if (named === NAMED_BAD_LINES_MAX + 1) progress.note('further bad lines are only counted');
    },
    onProgress: (counts: Readonly<ReplayCounts>) => progress.update(stream.bytesRead, counts.acknowledged),
  };
  let outcome: ReplayOutcome;
  try {
    const lines = readLines(stream);
    outcome = await replay(format === 'csv' ? readCsv(lines) : readNdjson(lines), publisher, plan, events, abort.signal);
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    stream.destroy();
    await publisher.close();
  }
  print(summary(outcome.counts, performance.now() - startedMs, publisher.destination));
  finish(outcome);
}

function planOf(options: ReplayOptions): ReplayPlan {
  const { timeField, keyField, key } = options;
  if (key !== undefined && keyField !== undefined) throw usageError('expected one of --key and --key-field, not both');
  const speed = options.speed ?? (timeField === undefined ? 'max' : '1');
  if (speed !== 'max' && timeField === undefined) throw badValue('--speed', speed, 'needs --time-field, unless it is max');
  return {
    topic: topicArgument(options.topic, '--topic'),
    speed: speed === 'max' ? Number.POSITIVE_INFINITY : positiveNumber('--speed', speed),
    timeField,
    key: key === undefined ? null : keyArgument(key),
    keyField,
    strict: options.strict === true,
  };
}

function formatOf(file: string): 'csv' | 'ndjson' {
  if (/\.csv$/i.test(file)) return 'csv';
  if (/\.(ndjson|jsonl)$/i.test(file)) return 'ndjson';
  throw badValue('file', file, 'expected --format, because the name does not end in .csv, .ndjson or .jsonl');
}

function readableSize(file: string): number {
  try {
    accessSync(file, constants.R_OK);
    const stats = statSync(file);
    if (stats.isDirectory()) throw new Error('a directory');
    return stats.size;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CliError('bad_file', `${file}: ${code === 'ENOENT' ? 'no such file' : message}`, 1, { cause });
  }
}

export function summary(counts: Readonly<ReplayCounts>, tookMs: number, destination: string): string {
  const { acknowledged, duplicates, badLines, firstOffset, lastOffset } = counts;
  const offsets = lastOffset > 0 ? `, offsets ${firstOffset}–${lastOffset}` : '';
  const rate = Math.round(acknowledged / Math.max(tookMs / 1000, 0.001));
  return `${acknowledged} acknowledged by ${destination} in ${(tookMs / 1000).toFixed(2)} s (${rate}/s)${offsets}, ${duplicates} duplicates, ${badLines} bad lines`;
}

function finish(outcome: ReplayOutcome): void {
  if (outcome.kind === 'stopped') process.exitCode = 130;
  if (outcome.kind !== 'refused') return;
  const { code } = outcome.error as { code?: unknown };
  throw new CliError(typeof code === 'string' ? code : 'bad_line', `stopped at line ${outcome.lineNumber}: ${outcome.error.message}`, 1, {
    cause: outcome.error,
  });
}
