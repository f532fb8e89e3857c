import { PermissionViolationError } from '@nats-io/transport-node';
import type { NatsNames } from './names.ts';

/** What the server denied, from the client's error. */
export type Denied = Pick<PermissionViolationError, 'operation' | 'subject'>;

/** The tokens of a subject that stay; `>` stands for the rest. Below a JetStream prefix: after the prefix. */
const KEPT_TOKENS: readonly (readonly [start: string, kept: number])[] = [
  ['CONSUMER.MSG.NEXT.', 4],
  ['CONSUMER.DURABLE.CREATE.', 4],
  ['CONSUMER.', 3],
];

/** The missing permission, as it must be written in `permissions`. */
export function neededFor({ subject }: Denied, names: NatsNames): string {
  const { api, inbox } = names;
  if (subject.startsWith(`${inbox}.`)) return `${inbox}.>`;
  if (subject.startsWith('$JS.FC.')) return upTo(subject, 3);
  if (subject.includes('$KV.')) return upTo(subject, subject.split('.').indexOf('$KV') + 2);
  if (subject.startsWith('feed.') || subject.startsWith('image.')) return subject.split('.').length === 2 ? subject : upTo(subject, 2);
  if (subject.startsWith('beat.')) return subject;
  if (subject.startsWith('rpc.')) return 'rpc.>';
  if (subject.startsWith('stentor.presence.')) return 'stentor.presence.>';
  if (subject.startsWith('stentor.send.')) return 'stentor.send.>';
  if (subject.startsWith('stentor.call.')) return 'stentor.call.>';
  if (subject.startsWith('stentor.users.')) return 'stentor.users.>';
  if (subject.startsWith('stentor.control.')) return 'stentor.control.>';
  if (!subject.startsWith(`${api}.`)) return subject;
  const request = subject.slice(api.length + 1);
  const [, kept = 0] = KEPT_TOKENS.find(([start]) => request.startsWith(start)) ?? [];
  return kept === 0 ? subject : `${api}.${upTo(request, kept)}`;
}

/** For an operator: what was denied, and what the NATS user needs. */
export function describeDenied(denied: Denied, names: NatsNames): string {
  const [doing, right] = denied.operation === 'publish' ? ['publishing to', 'publish'] : ['subscribing to', 'subscribe'];
  const inbox = isInboxDenied(denied, names) ? ', or nats.inboxPrefix has to name inboxes that it may subscribe to' : '';
  return `NATS denies ${doing} "${denied.subject}": the user needs "${neededFor(denied, names)}" in permissions.${right}${inbox} (src/bus/README.md, Permissions)`;
}

/** Answers cannot arrive; the request may have been executed nevertheless. */
export function isInboxDenied({ operation, subject }: Denied, { inbox }: NatsNames): boolean {
  return operation === 'subscription' && subject.startsWith(`${inbox}.`);
}

/** The denial that caused an error, if one did. */
export function deniedIn(error: unknown): Denied | undefined {
  let cause = error;
  // The client wraps at most twice; the limit is for errors that are their own cause.
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++, cause = cause.cause) {
    if (cause instanceof PermissionViolationError) return cause;
  }
  return undefined;
}

function upTo(subject: string, tokens: number): string {
  return `${subject.split('.').slice(0, tokens).join('.')}.>`;
}
