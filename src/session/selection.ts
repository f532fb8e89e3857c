import type { Wishes } from '../delivery/membership-options.ts';
import type { AskedOptions } from '../hooks/types.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { hasDocuments, type StateOptions, stateOf } from '../protocol/feed-state.ts';
import { isFieldPath } from '../protocol/field-path.ts';

type Asked = Pick<Wishes, 'fields' | 'filter'>;

/** The only place that says what can be selected of which topic. @throws ProtocolError `bad_message`, `unsupported` */
export function assertSelection(topic: FeedName, namespace: StateOptions | undefined, { fields = [], filter }: Asked): void {
  const wrong = fields.find((path) => !isFieldPath(path));
  if (wrong !== undefined)
    throw new ProtocolError('bad_message', `fields: ${JSON.stringify(wrong)} is no path to a member, such as /best/bid`);
  const state = namespace && stateOf(topic, namespace);
  if (fields.length > 0 && state === 'documents')
    throw new ProtocolError('unsupported', `${topic} has a document for each key: fields are of one key`);
  if (fields.length > 0 && state !== 'document') throw new ProtocolError('unsupported', `${topic} has no document: it has no fields`);
  if (filter !== undefined && namespace !== undefined && hasDocuments(namespace))
    throw new ProtocolError('unsupported', `${topic} has a document: it takes all of its patches`);
}

/** What a client selects, for hooks. */
export function selectionIn({ fields, filter }: Asked): Pick<AskedOptions, 'fields' | 'filter'> {
  return { ...(fields !== undefined && { fields }), ...(filter !== undefined && { filter }) };
}

/** Takes `fields` (once for each path) and `filter` (JSON) out of the parameters. They are not checked yet. @throws ProtocolError `bad_message` */
export function readSelection(parameters: URLSearchParams): { readonly fields?: readonly string[]; readonly filter?: unknown } {
  const fields = parameters.getAll('fields');
  const filter = parameters.get('filter');
  parameters.delete('fields');
  parameters.delete('filter');
  return { ...(fields.length > 0 && { fields }), ...(filter !== null && { filter: filterOf(filter) }) };
}

function filterOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError('bad_message', 'filter: expected JSON');
  }
}
