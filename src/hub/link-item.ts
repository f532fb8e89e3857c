import type { Origin, Publication } from '../bus/publication.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import type { LinkItem } from '../link/publication-message.ts';
import { type FeedName, isPattern } from '../protocol/feed-name.ts';
import { hasDocuments } from '../protocol/feed-state.ts';
import { keepBytes } from '../protocol/kept-bytes.ts';
import { isMsgpackMap, payloadToMsgpack } from './payload.ts';

export type LinkItemResult =
  | { readonly kind: 'item'; readonly item: LinkItem }
  | { readonly kind: 'skipped'; readonly reason: 'malformed' | 'too_big'; readonly detail: string };

/** Longer than any user that a node permits: only a producer can have written it, and it is not passed on. In UTF-8 it fits the link's 16-bit lengths. */
const ORIGIN_TEXT_MAX = 16_384;

/**
 * What workers get of a publication, or why it is skipped. Every node decides the same for a publication, so `prev` chains agree.
 * @param name of the feed, where that may be a pattern
 */
export function toLinkItem(publication: Publication, namespace: NamespaceOptions, name?: FeedName): LinkItemResult {
  const { payload, origin, noEcho, volatile, eventAtMs, tags } = publication;
  if (payload.length > namespace.maxPayloadBytes) {
    return { kind: 'skipped', reason: 'too_big', detail: `${payload.length} bytes, ${namespace.maxPayloadBytes} allowed` };
  }
  const result = payloadToMsgpack(payload, publication.payloadKind ?? namespace.payload, namespace.numbers);
  if (result.kind === 'malformed') return { kind: 'skipped', reason: 'malformed', detail: result.reason };
  return {
    kind: 'item',
    item: {
      offset: publication.offset,
      key: publication.key,
      data: keepBytes(result.data),
      publishedAtMs: publication.publishedAtMs,
      ...(eventAtMs !== undefined && { eventAtMs }),
      ...(tags !== undefined && { tags }),
      ...(origin !== undefined && isPlausible(origin) && originFields(origin, isFolded(namespace) ? undefined : noEcho)),
      // A log has kept it.
      ...(volatile && !namespace.durable && { volatile }),
      ...(namespace.state !== 'last' && result.empty && { removed: true as const }),
      ...(name !== undefined && isPattern(name) && { topic: publication.topic }),
      ...(hasDocuments(namespace) && isPatch(publication, result.data) && { patch: true as const }),
    },
  };
}

/** Members need what they published themselves: the next change is one of that. */
function isFolded(namespace: NamespaceOptions): boolean {
  return hasDocuments(namespace) || namespace.delta === 'fields';
}

/** A merge patch whose root is no map is the new document. */
function isPatch({ image }: Publication, data: Uint8Array): boolean {
  return image !== true && isMsgpackMap(data);
}

/** Those that are not skipped. */
export function toLinkItems(publications: readonly Publication[], namespace: NamespaceOptions, name: FeedName): LinkItem[] {
  return publications.flatMap((publication) => {
    const result = toLinkItem(publication, namespace, name);
    return result.kind === 'item' ? [result.item] : [];
  });
}

function originFields({ user, connectionId }: Origin, noEcho: true | undefined): Pick<LinkItem, 'user' | 'connectionId' | 'noEcho'> {
  return { ...(user !== '' && { user }), connectionId, ...(noEcho && { noEcho }) };
}

function isPlausible({ user, connectionId }: Origin): boolean {
  return user.length <= ORIGIN_TEXT_MAX && connectionId.length <= ORIGIN_TEXT_MAX;
}
