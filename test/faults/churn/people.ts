import { userTopicOf } from '../../../src/protocol/user-topic.ts';
import { tokenOf } from '../../support/tokens.ts';
import type { Visitor } from './visitor.ts';

/** A new user with several connections, perhaps more than allowed, who meets others and gets messages. */
export async function users(visitor: Visitor): Promise<void> {
  const sub = visitor.name('u');
  const token = await tokenOf({ sub });
  const clients = await Promise.all(visitor.times(visitor.count(1, 7), () => visitor.user(token)));
  const last = await visitor.user(token);
  const room = visitor.topic('room');
  const own = userTopicOf(sub) as string;
  await last.subscribe(own);
  await last.subscribe(room, { presence: true });
  for (const client of clients.slice(-2)) client.send({ type: 'subscribe', id: 1, topic: room, presence: true });
  visitor.publish(own, 'for you');
  await last.next('batch', ({ topic }) => topic === own);
  await last.get('presence', { type: 'presence', topic: room });
  await last.get('published', { type: 'publish', topic: room, data: { text: '<b>hi</b>' }, idempotencyKey: sub });
  await visitor.pause(1000);
}

/** Its token is refreshed, or expires. */
export async function tokens(visitor: Visitor): Promise<void> {
  const sub = visitor.name('u');
  const topic = visitor.topic('room');
  if (visitor.pick(true, false)) {
    const client = await visitor.user(await tokenOf({ sub, expiresInMs: 30_000 }));
    await client.subscribe(topic);
    await client.get('refreshed', { type: 'refresh', token: await tokenOf({ sub }) });
    return visitor.pause(1000);
  }
  const client = await visitor.user(await tokenOf({ sub, expiresInMs: 2000 }));
  // On a crowded machine the token may expire before the answer.
  client.send({ type: 'subscribe', id: 1, topic });
  await visitor.until(client.closed, 'a token that has expired');
}

/** Operators end connections, subscriptions and tokens, by any node. */
export async function endings(visitor: Visitor): Promise<void> {
  const sub = visitor.name('u');
  const client = await visitor.user(await tokenOf({ sub }));
  const topic = visitor.topic('room');
  await client.subscribe(topic, { presence: true });
  const ending = visitor.pick('unsubscribe', 'disconnect', 'revoke');
  await visitor.admin(`/api/${ending}`, { user: sub, ...(ending === 'unsubscribe' && { topic }) });
  if (ending === 'unsubscribe') await client.next('error', ({ code }) => code === 'unsubscribed');
  else await visitor.until(client.closed, ending);
}

/** Calls in both directions: answered, refused, too large, and not answered at all. */
export async function calls(visitor: Visitor): Promise<void> {
  const client = await visitor.user(await tokenOf({ sub: visitor.name('u') }));
  const { connectionId } = client.messages.find((message) => message.type === 'connected') as { connectionId: string };
  for (const method of ['who', 'conflict', 'large', 'silent', 'nobody'])
    await client.ask({ type: 'call', method, data: { id: 1 }, timeoutMs: 300 });
  await visitor.admin('/api/send', { connectionId, data: 'hi' });
  await client.next('message');
  const asked = visitor.admin('/api/call', { connectionId, method: 'm', timeoutMs: 500 });
  const { id } = await client.next('call');
  if (visitor.pick(true, false)) client.send({ type: 'result', id, data: 1 });
  await asked;
}

/** Hooks allow, deny, change, and end what they have allowed. */
export async function hooks(visitor: Visitor): Promise<void> {
  const client = await visitor.user(await tokenOf({ sub: visitor.name('u') }));
  const topic = visitor.topic('talk');
  await client.subscribe(topic);
  await client.ask({ type: 'subscribe', topic: 'talk.staff' });
  await client.get('published', { type: 'publish', topic, data: { text: 'change me' } });
  await client.ask({ type: 'publish', topic, data: { text: 'insult' } });
  if (visitor.pick(true, false)) return;
  await client.subscribe('talk.trial');
  await client.next('error', (error) => error.topic === 'talk.trial');
}
