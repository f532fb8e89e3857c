import type { ServerMessage } from '../protocol/messages.ts';
import type { CallAnswer, ClientEvents } from './client-types.ts';
import { encodeMessage } from './codec.ts';
import type { Connection } from './connection.ts';
import type { Emitter } from './emitter.ts';
import { CommandError } from './errors.ts';
import type { Publisher } from './publisher.ts';
import type { Requests } from './requests.ts';
import type { TopicMessage } from './subscription.ts';
import type { Topics } from './topics.ts';

/** Whom messages are for. */
export interface Receivers {
  readonly connection: Connection;
  readonly events: Emitter<ClientEvents>;
  readonly topics: Topics;
  readonly requests: Requests;
  readonly publisher: Publisher;
  reportError(error: unknown): void;
}

/** What answers requests. A later version may send other types whose ids are the server's own. */
const ANSWERS: readonly string[] = ['subscribed', 'unsubscribed', 'result', 'history', 'presence', 'refreshed'];

/** Gives a message of the server to whom it is for. One of an unknown type is of a later version, and ignored. */
export function receive(to: Receivers, message: ServerMessage): void {
  const { type } = message;
  if (type === 'error') return receiveError(to, message);
  if (type === 'call') return receiveCall(to, message);
  if (type === 'message') return to.events.emit('message', { data: message.data, namespace: message.namespace });
  const { id } = message as { readonly id?: number };
  if (id === undefined) to.topics.receive(message as TopicMessage);
  else if (type === 'published') to.publisher.answered(id, message);
  else if (ANSWERS.includes(type)) to.requests.answered(id, message);
}

function receiveCall({ connection, events }: Receivers, { id, method, data, timeoutMs }: ServerMessage<'call'>): void {
  const asked = connection.session;
  const answer = (message: CallAnswer) => {
    const frame = encodeMessage({ ...message, id });
    const fits = frame.length <= connection.messageBytesMax;
    // On another connection the id is none, or that of another call.
    if (fits && connection.session === asked) connection.send(frame);
    return fits;
  };
  if (events.has('call')) events.emit('call', { method, data, timeoutMs, answer });
  else answer({ type: 'error', code: 'no_handler', message: `no handler for ${method}` });
}

function receiveError({ connection, topics, requests, publisher, reportError }: Receivers, message: ServerMessage<'error'>): void {
  const { id, code, service } = message;
  const error = new CommandError(message);
  // Whatever word a service or a hook uses, it is only for the command that it answers.
  const retryAfterMs = service ? undefined : error.retryAfterMs;
  const limited = !service && code === 'rate_limited';
  if (limited) connection.pause(retryAfterMs ?? 1000);
  if (id !== undefined && (publisher.answered(id, message) || requests.answered(id, message))) return;
  if (topics.fail(message, error)) return;
  if (retryAfterMs !== undefined) connection.retryAfter(retryAfterMs);
  // Refused without its id, so any unanswered command may be the one.
  if (limited) publisher.unanswered(retryAfterMs ?? 1000);
  // An answer to a request that has ended is ignored.
  if (id === undefined) reportError(error);
}
