import type { RequestAddress } from '../../bus/channel.ts';
import { isTopic, type Topic } from '../../protocol/topic.ts';

/**
 * The addresses of what servers send, in NATS subjects after `stentor.`. The id of a connection is `<prefix of its worker>.<number>`, so one pattern of a worker
 * matches all its connections, and only its node is asked.
 */

const CONNECTION = /^[A-Za-z0-9_-]{1,100}\.[A-Za-z0-9]{1,20}$/;
const CALLED = /^call\.connection\.([A-Za-z0-9_-]+\.[A-Za-z0-9]+)\.(.+)$/;

export const ALL_NAMESPACES = 'send.namespace.*';
const NAMESPACE_PREFIX = 'send.namespace.';
const SEND_PREFIX = 'send.connection.';

/** Whether it can be the id of a connection. */
export function isConnectionId(id: string): boolean {
  return CONNECTION.test(id);
}

export function namespaceAddress(namespace: string): RequestAddress {
  return `${NAMESPACE_PREFIX}${namespace}`;
}

export function namespaceIn(address: RequestAddress): string {
  return address.slice(NAMESPACE_PREFIX.length);
}

/** @param connectionId as {@link isConnectionId} accepts it */
export function sendAddress(connectionId: string): RequestAddress {
  return `${SEND_PREFIX}${connectionId}`;
}

export function connectionIn(address: RequestAddress): string {
  return address.slice(SEND_PREFIX.length);
}

/** @param connectionId as {@link isConnectionId} accepts it */
export function callAddress(connectionId: string, method: Topic): RequestAddress {
  return `call.connection.${connectionId}.${method}`;
}

/** Undefined: the method is none. */
export function calledIn(address: RequestAddress): { readonly connectionId: string; readonly method: Topic } | undefined {
  const [, connectionId = '', method = ''] = CALLED.exec(address) ?? [];
  return isTopic(method) ? { connectionId, method } : undefined;
}

/** What matches all connections of a worker. */
export function patternsOf(idPrefix: string): readonly [send: RequestAddress, call: RequestAddress] {
  return [`${SEND_PREFIX}${idPrefix}*`, `call.connection.${idPrefix}*.>`];
}
