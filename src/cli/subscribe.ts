import { Command } from 'commander';
import type { ClientMessage, Item, Position, ServerMessage } from '../protocol/messages.ts';
import { FILTER_TAGS_MAX, isTagFilter } from '../protocol/tags.ts';
import type { Topic } from '../protocol/topic.ts';
import { Connection } from './connection.ts';
import { badValue, CliError } from './errors.ts';
import {
  addNodeOptions,
  DEFAULT_URL,
  listed,
  type NodeOptions,
  nameAndText,
  positiveInteger,
  positiveNumber,
  timeOption,
  topicArgument,
} from './options.ts';
import { inOneLine, note, print } from './output.ts';
import { itemAsJson, itemForPeople } from './print-item.ts';

interface SubscribeOptions extends NodeOptions {
  readonly json?: true;
  readonly since?: string;
  readonly from?: string;
  readonly snapshot?: true;
  readonly maxRateHz?: string;
  readonly timestamps?: true;
  readonly count?: string;
  readonly field?: readonly string[];
  readonly filter?: readonly string[];
}

export function subscribeCommand(): Command {
  const command = new Command('subscribe')
    .description('subscribe to topics of a running node and print the items')
    .argument('<topic...>', 'for example scores.epl.match-42')
    .option('--json', 'print each item as one line of JSON')
    .option('--since <epoch:offset>', 'start with everything after this position (only with one topic)')
    .option('--from <time>', 'start with what was published at this time or later, for example 2026-03-01T12:00:00Z')
    .option('--snapshot', 'start with the latest item of every key')
    .option('--max-rate-hz <rate>', 'maximum updates per second, each with the latest item of every key')
    .option('--timestamps', 'print when the log stored each item')
    .option('--field <path>', 'of a document: only this member, for example /best/bid; several are allowed', listed)
    .option(
      '--filter <tag=text>',
      'only publications with this tag; several are allowed: with the same name, one of them is enough',
      listed,
    )
    .option('-n, --count <n>', 'exit after this number of items');
  return addNodeOptions(command, false)
    .action(runSubscribe)
    .addHelpText(
      'after',
      `
Items go to stdout, everything else to stderr. This command does not reconnect: when the connection ends, it exits with code 1.

Examples:
  $ stentor subscribe scores.demo
  $ stentor subscribe ticks.demo --snapshot --max-rate-hz 2
  $ stentor subscribe scores.demo --json --count 10 | jq .data`,
    );
}

async function runSubscribe(topicTexts: readonly string[], options: SubscribeOptions): Promise<void> {
  const topics = topicTexts.map((text) => topicArgument(text));
  const left = options.count === undefined ? Number.POSITIVE_INFINITY : positiveInteger('--count', options.count);
  const wanted = wantedOf(topics, options);
  const { connection } = await Connection.open({ ...options, url: options.url ?? DEFAULT_URL });
  const printer = new ItemPrinter(options.json === true, left, () => connection.close());
  connection.onMessage((message) => printer.message(message));
  process.once('SIGINT', () => printer.end()).once('SIGTERM', () => printer.end());
  try {
    for (const topic of topics) {
      if (printer.ended) break;
      const answer = await connection.request({
        type: 'subscribe',
        topic,
        ...wanted,
      });
      printer.message(answer);
    }
  } catch (error) {
    if (printer.ended) return;
    connection.close();
    throw error;
  }
  const { code, reason } = await connection.closed;
  if (!printer.ended) throw new CliError('connection_closed', `the node closed the connection: ${code} ${reason}`);
}

/** What is asked of every topic. @throws CliError `usage` */
function wantedOf(topics: readonly Topic[], options: SubscribeOptions): Omit<ClientMessage<'subscribe'>, 'type' | 'id' | 'topic'> {
  const { since, from, snapshot, maxRateHz, timestamps, field, filter } = options;
  const position = since === undefined ? undefined : parsePosition(since, topics);
  if (position !== undefined && from !== undefined) throw badValue('--from', from, 'cannot be combined with --since');
  return {
    ...(position !== undefined && { since: position }),
    ...(from !== undefined && { sinceMs: timeOption('--from', from) }),
    ...(snapshot && { snapshot }),
    ...(maxRateHz !== undefined && { maxRateHz: positiveNumber('--max-rate-hz', maxRateHz) }),
    ...(timestamps && { timestamps }),
    ...(field !== undefined && { fields: [...field] }),
    ...(filter !== undefined && { filter: filterArgument(filter) }),
  };
}

/** @throws CliError `usage` */
function filterArgument(texts: readonly string[]): Record<string, string[]> {
  const filter: Record<string, string[]> = {};
  for (const [name, text] of texts.map((each) => nameAndText('--filter', each))) filter[name] = [...(filter[name] ?? []), text];
  if (!isTagFilter(filter)) throw badValue('--filter', texts.join(' '), `at most ${FILTER_TAGS_MAX} tags, each of printable ASCII`);
  return filter;
}

/** Prints items until the requested number is reached. Other messages of the node are printed as notes. */
class ItemPrinter {
  ended = false;
  readonly #format: (topic: string, epoch: string, item: Item) => string | undefined;
  #left: number;
  readonly #onEnd: () => void;

  constructor(json: boolean, left: number, onEnd: () => void) {
    this.#format = json ? itemAsJson : itemForPeople;
    this.#left = left;
    this.#onEnd = onEnd;
  }

  message(message: ServerMessage): void {
    switch (message.type) {
      case 'batch':
        return this.#items(message);
      case 'subscribed':
        note(`subscribed to ${message.topic}${describePosition(message)}${message.recovered ? ', recovered' : ''}${rate(message.rateHz)}`);
        return this.#items(message);
      case 'resync':
        note(`${message.topic}: resync (${message.reason})${describePosition(message)}`);
        return this.#items(message);
      case 'lagged':
        return note(`${message.topic}: too slow, ${message.skipped} skipped (${message.policy})`);
      case 'feed': {
        const about = message.topic === undefined ? '' : `${message.topic}: `;
        return note(`${about}${message.live ? 'live again' : `not live (${message.reason ?? 'no reason given'})`}`);
      }
      case 'status': {
        const { topic, stale, reason, sinceMs } = message;
        return note(`${topic}: ${stale ? `stale since ${new Date(sinceMs ?? 0).toISOString()} (${reason})` : 'not stale any more'}`);
      }
      case 'closing':
        return note(inOneLine(`the node is closing this connection: ${message.code} ${message.reason}`));
      case 'error':
        return note(inOneLine(`error: ${message.code}: ${message.message}`));
      default:
        return;
    }
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.#onEnd();
  }

  #items({ topic, epoch, items }: { topic: string; epoch: string; items: readonly Item[] }): void {
    for (const item of items) {
      if (this.ended) return;
      const line = this.#format(topic, epoch, item);
      if (line === undefined) continue;
      print(line);
      if (--this.#left <= 0) this.end();
    }
  }
}

function describePosition({ epoch, offset }: Position): string {
  return epoch === '' ? '' : ` at ${epoch}:${offset}`;
}

function rate(rateHz: number | undefined): string {
  return rateHz === undefined ? '' : `, at most ${rateHz} updates a second`;
}

/** @throws CliError `usage` */
export function parsePosition(text: string, topics: readonly Topic[]): Position {
  if (topics.length !== 1) throw badValue('--since', text, 'a position of one topic: subscribe to only one');
  const at = text.lastIndexOf(':');
  const offset = text.slice(at + 1);
  if (at < 1 || !/^\d+$/.test(offset) || !Number.isSafeInteger(Number(offset)))
    throw badValue('--since', text, 'expected <epoch>:<offset>, as printed when subscribing');
  return { epoch: text.slice(0, at), offset: Number(offset) };
}
