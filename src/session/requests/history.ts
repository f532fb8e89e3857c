import Type from 'typebox';
import { selectionOf } from '../../delivery/membership-options.ts';
import { encodeWithItems } from '../../fanout/frame.ts';
import { FanoutItem } from '../../fanout/item.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { addressOf, parseFeedName } from '../../protocol/feed-name.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { checkClientMessage } from '../../protocol/parse.ts';
import { readQuery } from '../../protocol/query.ts';
import { assertTimeRange, isByTime } from '../../protocol/time-range.ts';
import { assertMay } from '../access.ts';
import { type CommandContext, namespaceFor } from '../commands/command.ts';
import { itemsMaxOf, pageFrom } from '../commands/history-pages.ts';
import { readParameters } from '../parameters.ts';
import { assertSelection, readSelection, selectionIn } from '../selection.ts';
import type { RequestClient } from './requests.ts';

/** Which parameters are no texts. What they may be is checked by the schema of the message. */
const QUERY = Type.Object({
  offset: Type.Integer(),
  fromMs: Type.Integer(),
  toMs: Type.Integer(),
  last: Type.Integer(),
  limit: Type.Integer(),
  timestamps: Type.Boolean(),
});
const PARAMETERS = { one: ['topic', 'key', 'epoch', 'filter', ...Object.keys(QUERY.properties)], many: ['fields'] };

/**
 * `GET /history`: one page of a topic, or of one key of it, with the fields of the message `history`. The query has its fields, with `epoch` and `offset` for `since`.
 *
 * @throws HookDenied; ProtocolError as for the command `history`
 */
export async function readHistory(client: RequestClient, query: string, context: CommandContext): Promise<Uint8Array> {
  const question = questionOf(query);
  const { since, timestamps = false } = question;
  assertTimeRange(question);
  const name = parseFeedName(question.topic, question.key);
  const namespace = assertMay(client.identity, 'history', namespaceFor(context, name), name);
  assertSelection(name, namespace, question);
  const { clientItemsMax } = namespace.history;
  if (context.hooks?.asksAboutSubscriptions(name)) {
    await context.hooks.assertMaySee(client, name, 'history', selectionIn(question));
    context.authentication.assertNotRevoked(client.identity);
  }
  const { hub } = context.delivery;
  const bytesMax = context.config.tuning.answers.historyPageBytesMax;
  const limit = itemsMaxOf(question, clientItemsMax);
  const page = await pageFrom(hub, question, { topic: name, limit, bytesMax });
  const { epoch, offset, complete } = page;
  const more = since === undefined && !isByTime(question) ? offset < (page.lastOffset ?? 0) : page.more;
  const all = page.items.map((item) => new FanoutItem(item));
  const items = selectionOf(question)?.select(all, false) ?? all;
  return encodeWithItems({ encoding: 'json', timestamps }, { ...addressOf(name), epoch, offset, complete, more }, items);
}

function questionOf(query: string): ClientMessage<'history'> {
  const parameters = readParameters(query, PARAMETERS);
  const selection = readSelection(parameters);
  const { epoch, offset, ...others } = readQuery(QUERY, parameters);
  if ((epoch === undefined) !== (offset === undefined))
    throw new ProtocolError('bad_message', 'epoch and offset: expected both, or neither');
  return checkClientMessage({
    ...others,
    ...selection,
    type: 'history',
    id: 0,
    ...(epoch !== undefined && { since: { epoch, offset } }),
  }) as ClientMessage<'history'>;
}
