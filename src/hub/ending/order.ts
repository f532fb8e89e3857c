import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { EndOrder, EndTarget, Revocation } from '../../link/orders.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { toWellFormed } from '../../protocol/utf8.ts';

/** Maximum of a WebSocket close frame. */
const REASON_BYTES_MAX = 123;
const REASON_DEFAULT = 'ended by the operator';

const text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }));
const Order = Type.Object({
  action: Type.Union([Type.Literal('disconnect'), Type.Literal('unsubscribe'), Type.Literal('revoke')]),
  user: text(256),
  connectionId: text(128),
  tokenId: text(256),
  topic: text(200),
  reason: text(REASON_BYTES_MAX),
  reconnect: Type.Optional(Type.Boolean()),
  issuedBeforeMs: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
});
const order = Compile(Order);

/** For clocks that differ, and because `iat` has seconds. */
const AHEAD_MS_MAX = 60_000;

/** An operator's order: to end existing connections or subscriptions, or to revoke tokens. */
export type Order = EndOrder | { readonly action: 'revoke'; readonly revocation: Revocation };

/**
 * Parses an order of an operator, or of another program on NATS: `{"action": "disconnect", "user": "ann", "reason": "…", "reconnect": true}`.
 *
 * @throws ProtocolError `bad_message`, `bad_topic`
 */
export function parseOrder(value: unknown, nowMs: number): Order {
  if (!order.Check(value)) throw new ProtocolError('bad_message', 'expected {"action": "disconnect" | "unsubscribe" | "revoke", …}');
  const { action, topic, reason = REASON_DEFAULT, reconnect = false, issuedBeforeMs = nowMs } = value as Static<typeof Order>;
  const target = targetOf(value as Static<typeof Order>);
  if (Buffer.byteLength(reason) > REASON_BYTES_MAX) throw new ProtocolError('bad_message', `reason: more than ${REASON_BYTES_MAX} bytes`);
  switch (action) {
    case 'disconnect':
      return { action, target, reason, reconnect };
    case 'unsubscribe':
      if (topic === undefined) throw new ProtocolError('bad_message', 'topic: expected what to unsubscribe from');
      return { action, target, reason, topic: parseTopic(topic) };
    case 'revoke':
      if ('connectionId' in target)
        throw new ProtocolError('bad_message', 'expected user or tokenId: a connection has no token of its own');
      return { action, revocation: 'tokenId' in target ? target : { ...target, issuedBeforeMs } };
  }
}

/**
 * Refuses what an operator or a program cannot have meant. Orders that other nodes pass on are not checked again: this node's clock may be behind theirs.
 *
 * @throws ProtocolError `bad_message`
 */
export function assertNotAhead(order: Order, nowMs: number): void {
  if (order.action !== 'revoke' || !('user' in order.revocation)) return;
  // It cannot be taken back: a year too many, or microseconds, would lock the user out.
  if (order.revocation.issuedBeforeMs > nowMs + AHEAD_MS_MAX)
    throw new ProtocolError('bad_message', 'issuedBeforeMs: must not be in the future: no token has been issued then');
}

function targetOf({ user, connectionId, tokenId }: Static<typeof Order>): EndTarget {
  const targets: EndTarget[] = [];
  if (user !== undefined) targets.push({ user: toWellFormed(user) });
  if (connectionId !== undefined) targets.push({ connectionId });
  if (tokenId !== undefined) targets.push({ tokenId });
  const [target] = targets;
  if (target === undefined || targets.length > 1) throw new ProtocolError('bad_message', 'expected one of user, connectionId and tokenId');
  return target;
}
