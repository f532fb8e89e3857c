import type { NamespaceOptions } from '../config/schema.ts';
import type { Wishes } from '../delivery/membership-options.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { isFieldPath } from '../protocol/field-path.ts';

type Asked = Pick<Wishes, 'fields' | 'filter' | 'delta'>;

/** The only place that says what can be selected of which topic. @throws ProtocolError `bad_message`, `unsupported` */
export function assertSelection(
  topic: FeedName,
  namespace: Pick<NamespaceOptions, 'state'> | undefined,
  { fields = [], filter, delta }: Asked,
): void {
  const wrong = fields.find((path) => !isFieldPath(path));
  if (wrong !== undefined)
    throw new ProtocolError('bad_message', `fields: ${JSON.stringify(wrong)} is no path to a member, such as /best/bid`);
  const isDocument = namespace?.state === 'document';
  if (fields.length > 0 && !isDocument) throw new ProtocolError('unsupported', `${topic} has no document: it has no fields`);
  if (filter === undefined) return;
  if (isDocument) throw new ProtocolError('unsupported', `${topic} has a document: it takes all of its patches`);
  if (delta === true)
    throw new ProtocolError('unsupported', 'filter cannot be combined with delta: a change is one of the value before it');
}
