import { tokenOf } from '../../support/tokens.ts';
import type { Visitor } from './visitor.ts';

/** A stream of events of some topics. It is cut when something has come, or at once. */
export async function streams(visitor: Visitor): Promise<void> {
  const topics = visitor.times(visitor.count(1, 4), () => visitor.topic(visitor.pick('room', 'live')));
  const stream = visitor.stream(`${topics.map((topic) => `topic=${topic}`).join('&')}&snapshot=true`);
  if (visitor.pick(true, false)) return visitor.pause(20);
  await stream.next('subscribed', topics.length);
  for (const topic of topics) visitor.publish(topic, 1);
  await stream.next('batch', 1);
}

/** Requests to the clients' port: whole ones, and one whose body never comes. */
export async function requests(visitor: Visitor): Promise<void> {
  const { port } = visitor.node;
  const topic = visitor.topic('room');
  const authorization = `Bearer ${await tokenOf({ sub: visitor.name('u') })}`;
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { authorization } });
    const text = await answer.text();
    if (answer.status === 500) throw new Error(`${path} was answered with ${text}`);
  };
  await ask('/publish', { method: 'POST', body: JSON.stringify({ topic, data: 1, idempotencyKey: topic }) });
  await ask(`/history?topic=${topic}&last=5`);
  await ask('/publish', { method: 'POST', body: '{' });
  await ask('/history?topic=nowhere.a');
  await ask('/publish', { method: 'OPTIONS' });
  const half = await visitor.raw();
  half.write(`POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nContent-Length: 1000\r\n\r\n{"topic"`);
  await visitor.pause(500);
}

/** What operators ask, of any node. */
export async function operators(visitor: Visitor): Promise<void> {
  const topic = visitor.topic('room');
  await visitor.admin('/api/publish-many', { publications: visitor.times(20, (i) => ({ topic, data: i })) });
  for (const path of [
    `/api/history?topic=${topic}&limit=5`,
    '/api/topics?sort=name&limit=10',
    '/api/users?limit=10',
    '/api/connections?user=nobody',
    `/api/presence?topic=${topic}`,
    '/api/nodes',
    '/api/series',
    '/api/nothing',
  ])
    await visitor.admin(path);
}
