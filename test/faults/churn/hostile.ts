import { clientFrame, OPCODE } from '../../../src/bench/frames.ts';
import { strangeFrame } from '../../fuzz/sockets.ts';
import { Refused } from '../../support/test-client.ts';
import { tokenOf } from '../../support/tokens.ts';
import { headersOf, type Visitor } from './visitor.ts';

/** Frames with wrong bits, lengths and messages. */
export async function garbage(visitor: Visitor): Promise<void> {
  const socket = await visitor.raw({ upgrade: true });
  for (let i = 0; i < 5 && !socket.destroyed; i++) {
    socket.write(strangeFrame(Math.random));
    await visitor.pause(50);
  }
}

/** More mistakes, messages, commands or bytes than are allowed, until the connection is closed. */
export async function excesses(visitor: Visitor): Promise<void> {
  const client = await visitor.client({ encoding: 'json' });
  client.send({ type: 'connect', id: 0 });
  const excess = visitor.pick('mistakes', 'arrays', 'large', 'pongs', 'topics');
  if (excess === 'mistakes') for (let i = 0; i < 90; i++) client.send({ type: 'subscribe', id: i, topic: 'nowhere.a' });
  if (excess === 'large') client.sendBytes('x'.repeat(100_000));
  if (excess === 'pongs') for (let i = 0; i < 3000; i++) client.socket.pong();
  if (excess === 'arrays')
    for (let i = 0; i < 20; i++) client.send(visitor.times(500, (id) => ({ type: 'subscribe', id, topic: 'nowhere.a' })));
  if (excess === 'topics') {
    client.send(visitor.times(1000, (id) => ({ type: 'subscribe', id: id + 1, topic: `many.t${id}` })));
    await client.next('error', ({ code }) => code === 'too_many_topics');
    return;
  }
  await visitor.until(client.closed, excess);
}

/** Requests that are never finished. */
export async function halfOpen(visitor: Visitor): Promise<void> {
  const sockets = await Promise.all(visitor.times(visitor.count(1, 8), () => visitor.raw()));
  for (const socket of sockets) socket.write('GET /ws HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  await visitor.pause(2000);
}

/** Subscribes to a fast topic and does not read: for a while, or until it is closed. */
export async function slowReaders(visitor: Visitor): Promise<void> {
  const client = await visitor.anonymous();
  const topic = visitor.topic(visitor.pick('slow', 'ticks', 'skipping', 'closing'));
  await client.subscribe(topic);
  client.pause();
  const subject = topic.startsWith('ticks') ? `${topic}.A` : topic;
  for (let i = 0; i < 200; i++) {
    visitor.publish(subject, { i, pad: 'x'.repeat(30_000) });
    if (i % 20 === 0) await visitor.producer.flush();
  }
  await visitor.pause(3000);
  if (visitor.pick(true, false)) return;
  client.resume();
  await visitor.pause(500);
}

/** Does not read the answers that it asks for. */
export async function unread(visitor: Visitor): Promise<void> {
  const topic = visitor.topic('room');
  for (let i = 0; i < 50; i++) await visitor.store(topic, 'x'.repeat(10_000));
  const client = await visitor.anonymous();
  client.pause();
  for (let id = 1; id <= 60; id++) client.send({ type: 'history', id, topic, last: 50 });
  await visitor.pause(2000);
}

/** Tokens that are forged, expired or no tokens. */
export async function badTokens(visitor: Visitor): Promise<void> {
  const good = await tokenOf({ sub: visitor.name('u') });
  const [head, body] = good.split('.') as [string, string];
  const token = visitor.pick(
    `${good}x`,
    `${head}.${body}.${'a'.repeat(43)}`,
    'nonsense',
    await tokenOf({ expiresInMs: -60_000 }),
    'x'.repeat(10_000),
  );
  try {
    await visitor.until((await visitor.client({ token })).closed, 'a bad token');
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

/** Publications that are malformed, too large, or of names that cannot be. */
export async function producers(visitor: Visitor): Promise<void> {
  const { producer } = visitor;
  const topic = visitor.topic('room');
  const client = await visitor.anonymous();
  await client.subscribe(topic);
  producer.publish(`feed.${topic}`, '{"never');
  producer.publish(`feed.${topic}`, Buffer.alloc(100_000, 32));
  producer.publish(`feed.${topic}`, Buffer.from([0xc1]), { headers: headersOf({ 'Content-Type': 'application/msgpack' }) });
  producer.publish(`feed.${topic}`, '1', { headers: headersOf({ 'Stentor-User': visitor.name('forged'), 'Stentor-Event-Time': 'never' }) });
  producer.publish(`feed.${visitor.topic('ticks')}.a.b.c`, '1');
  producer.publish(`feed.${visitor.topic('books')}`, '"x"'.repeat(10));
  producer.publish(`feed.${visitor.name('unknown')}.a`, '1');
  producer.publish('stentor.control', '{"action":"none"}');
  producer.publish(`stentor.send.connection.${visitor.name('c')}`, '1');
  await visitor.store(topic, 'the last');
  await client.next('batch', ({ items }) => items.some((item) => item.length > 1 && item[2] === 'the last'));
}

/** Begins a message and never ends it; or sends an empty one again and again. */
export async function fragments(visitor: Visitor): Promise<void> {
  const socket = await visitor.raw({ upgrade: true });
  const begin = clientFrame(OPCODE.text, Buffer.from('{"type":"connect","id":0'));
  begin[0] = OPCODE.text;
  socket.write(begin);
  const more = clientFrame(0, Buffer.alloc(visitor.count(0, 2000), 32));
  more[0] = 0;
  for (let i = 0; i < 20 && !socket.destroyed; i++) socket.write(more);
  await visitor.pause(1000);
}
