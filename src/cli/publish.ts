import { text as readText } from 'node:stream/consumers';
import { Command } from 'commander';
import { parseJson } from '../protocol/json-codec.ts';
import { isTags, TAGS_EXPECTED, type Tags } from '../protocol/tags.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import { encodeUser, USER_NAMESPACE } from '../protocol/user-topic.ts';
import { badValue, usageError } from './errors.ts';
import {
  addConfigOptions,
  addNodeOptions,
  type ConfigOptions,
  CREATE_TEXT,
  keyArgument,
  listed,
  loadFromOptions,
  type NodeOptions,
  nameAndText,
  topicArgument,
} from './options.ts';
import { note, print } from './output.ts';
import { openPublisher } from './publisher.ts';

interface PublishOptions extends ConfigOptions, NodeOptions {
  readonly key?: string;
  readonly user?: string;
  readonly except?: string;
  readonly volatile?: true;
  readonly create?: true;
  readonly image?: true;
  readonly tag?: readonly string[];
}

export function publishCommand(): Command {
  const command = new Command('publish')
    .description('publish one JSON value and print the acknowledgement')
    .argument('[topic]', 'for example scores.epl.match-42; not with --user')
    .argument('[json]', 'the value (default: read from stdin)')
    .option('-k, --key <key>', 'the key, in keyed namespaces: any text, for example BRK.B')
    .option('--user <sub>', 'to one user: to the topic user.<sub>')
    .option('--except <connection>', 'not to this connection: to all but the sender; only over NATS')
    .option('--volatile', 'not kept, and not for subscribers that do not keep up now; only in ephemeral namespaces')
    .option('--image', 'in document namespaces: the value is the whole document, not a merge patch')
    .option('--tag <name=text>', 'by which subscribers filter; several are allowed', listed)
    .option('--create', CREATE_TEXT);
  return addNodeOptions(addConfigOptions(command), true)
    .action(runPublish)
    .addHelpText(
      'after',
      `
Publishes directly to NATS if nats.url is set (--nats-url, STENTOR_NATS_URL or the config file), otherwise to a running node over WebSocket.
With --url it always publishes to that node. Over NATS the stream of the namespace must exist: a node creates it, or --create does.

Examples:
  $ stentor publish chat.lobby '{"text":"hi"}' --token "$TOKEN"
  $ stentor publish --user ann@example.org '{"text":"shipped"}' --nats-url nats://localhost:4222
  $ stentor publish ticks.nasdaq '{"bid":189.2}' --key AAPL --nats-url nats://localhost:4222
  $ echo '{"goal":true}' | stentor publish scores.epl.match-42 --nats-url nats://localhost:4222`,
    );
}

async function runPublish(first: string | undefined, second: string | undefined, options: PublishOptions): Promise<void> {
  const { topic, json } = destination(first, second, options.user);
  const key = options.key === undefined ? null : keyArgument(options.key);
  const value = checkJson(json ?? (await readText(process.stdin)));
  const tags = tagsArgument(options.tag);
  const { config } = await loadFromOptions(options);
  const publisher = await openPublisher(config, { topic, endpoint: options, create: options.create === true });
  try {
    const { image, volatile, except } = options;
    const ack = await publisher.publish({ topic, key, json: value, image, volatile, tags, exceptConnection: except });
    print(describeAck(topic, ack));
    note(`published to ${publisher.destination}`);
  } finally {
    await publisher.close();
  }
}

/** @throws CliError `usage` */
function tagsArgument(texts: readonly string[] | undefined): Tags | undefined {
  if (texts === undefined) return undefined;
  const tags = Object.fromEntries(texts.map((text) => nameAndText('--tag', text)));
  if (!isTags(tags)) throw badValue('--tag', texts.join(' '), `expected ${TAGS_EXPECTED}`);
  return tags;
}

/** With `--user` the value is the only argument. */
function destination(
  first: string | undefined,
  second: string | undefined,
  user: string | undefined,
): { readonly topic: Topic; readonly json: string | undefined } {
  if (user === undefined) {
    if (first === undefined) throw usageError('expected one of a topic and --user');
    return { topic: topicArgument(first), json: second };
  }
  if (second !== undefined) throw usageError('expected one of a topic and --user, not both');
  return { topic: topicArgument(`${USER_NAMESPACE}.${encodeUser(user)}`), json: first };
}

function describeAck(topic: Topic, { epoch, offset, duplicate }: { epoch: string; offset: number; duplicate: boolean }): string {
  // Directly over NATS there is no epoch: only nodes know it.
  const position = { ...(epoch !== '' && { epoch }), offset, duplicate };
  return JSON.stringify({ topic, ...(offset === 0 ? { namespace: namespaceOf(topic), ephemeral: true } : position) });
}

/** The text of one JSON value. @throws CliError `usage` */
export function checkJson(text: string): string {
  try {
    JSON.parse(text);
    return text.trim();
  } catch (cause) {
    throw usageError(`the value is not valid JSON (${(cause as Error).message}); a text needs JSON quotes: '"hello"'`);
  }
}

/** The value of the text. Numbers keep their digits, as where a node reads it. @throws CliError `usage` */
export function jsonValue(text: string): unknown {
  return parseJson(Buffer.from(checkJson(text)));
}
