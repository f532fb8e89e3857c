import { DocumentFollower } from '../../support/document-follower.ts';
import { BookGenerator, isRight } from '../../support/order-book.ts';
import type { TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';
import type { Visitor } from './visitor.ts';

const RATES = [undefined, 1, 5, 50] as const;

function optionsOf(visitor: Visitor) {
  const maxRateHz = visitor.pick(...RATES);
  return { snapshot: visitor.pick(true, false), timestamps: visitor.pick(true, false), ...(maxRateHz !== undefined && { maxRateHz }) };
}

/** Several topics at once; some are left again before the end. */
export async function topics(visitor: Visitor): Promise<void> {
  const client = await visitor.anonymous();
  const names = visitor.times(visitor.count(1, 6), () => visitor.topic('room'));
  for (const name of names) {
    await client.subscribe(name, optionsOf(visitor));
    await visitor.store(name, { name });
  }
  for (const name of names) await got(client, name);
  await client.get('history', { type: 'history', topic: names[0] as string, last: 5 });
  for (const name of names) if (visitor.pick(true, false)) await client.get('unsubscribed', { type: 'unsubscribe', topic: name });
}

/** Goes away, and comes back to any node with its position. What it missed must come. */
export async function returning(visitor: Visitor): Promise<void> {
  const topic = visitor.topic('room');
  await visitor.store(topic, 0);
  const first = await visitor.anonymous();
  const { epoch, offset } = await first.subscribe(topic);
  await first.close();
  const count = visitor.count(1, 30);
  for (let i = 1; i <= count; i++) await visitor.store(topic, i);
  const again = await visitor.anonymous();
  const { recovered } = await again.subscribe(topic, { since: { epoch, offset } });
  if (!recovered) throw new Error(`not recovered: ${topic}`);
  // The node may be behind the log: what it does not have yet comes in batches.
  const tracker = again.track(topic);
  await again.until(`all that was missed of ${topic}`, () => tracker.items.length >= count);
  const numbers = tracker.items.map(({ data }) => data);
  if (tracker.gaps > 0 || tracker.duplicates > 0 || numbers.some((n, i) => n !== i + 1))
    throw new Error(`${tracker.gaps} gaps, ${tracker.duplicates} duplicates of ${topic}: ${numbers}`);
  const gone = await again.subscribe(topic, { since: { epoch: 'another', offset } });
  if (gone.recovered) throw new Error(`a position of another epoch was recovered in ${topic}`);
}

/** Keys that come and go, whole values or their changes, or one key. */
export async function keys(visitor: Visitor): Promise<void> {
  const client = await visitor.anonymous();
  const topic = visitor.topic('ticks');
  const key = visitor.pick('A', 'B', 'C');
  const wish = visitor.pick({}, { key }, { delta: true });
  await client.subscribe(topic, { ...optionsOf(visitor), ...wish });
  for (let i = 0; i < 20; i++) visitor.publish(`${topic}.${visitor.pick('A', 'B', 'C')}`, { i, same: 'x'.repeat(200) });
  await visitor.store(`${topic}.${key}`, { last: true, same: 'x'.repeat(200) });
  await got(client, topic);
  await visitor.store(`${topic}.${key}`, null);
  await visitor.pause(500);
}

/** Two nodes have the same document, and a client that comes late too. */
export async function documents(visitor: Visitor): Promise<void> {
  const topic = visitor.topic('books');
  const generator = new BookGenerator(visitor.count(5, 40));
  const store = ({ patch, image }: ReturnType<BookGenerator['next']>) =>
    visitor.store(topic, patch, image ? { 'Stentor-Image': 'true' } : {});
  await store(generator.image());
  const early = await visitor.anonymous();
  const readers = [{ client: early, follower: new DocumentFollower(topic, isRight) }];
  await early.subscribe(topic, optionsOf(visitor));
  await early.subscribe(topic, { snapshot: true });
  let last = 0;
  for (let i = visitor.count(5, 40); i > 0; i--) last = await store(generator.next());
  const late = await visitor.anonymous();
  readers.push({ client: late, follower: new DocumentFollower(topic, isRight) });
  await late.subscribe(topic, { snapshot: true });
  last = await store(generator.next());
  for (const { client, follower } of readers) {
    // A topic without a provable base says so, and sends its document when there is one.
    await until(`the last of ${topic}`, () => follower.take(client).offset === last && follower.document !== undefined);
    if (follower.wrong > 0 || !isRight(follower.document)) throw new Error(`a wrong document of ${topic}`);
  }
}

/** Of topics with a log, and without one. */
export async function patterns(visitor: Visitor): Promise<void> {
  const client = await visitor.anonymous();
  const under = visitor.topic(visitor.pick('live', 'room'));
  const pattern = `${under}.${visitor.pick('*', '>')}`;
  await client.subscribe(pattern, optionsOf(visitor));
  if (visitor.pick(true, false)) await client.subscribe(visitor.pick('room.>', 'live.>'));
  for (const name of ['a', 'b']) visitor.publish(`${under}.${name}`, { name });
  await got(client, pattern);
  if (visitor.pick(true, false)) await client.get('unsubscribed', { type: 'unsubscribe', topic: pattern });
}

/** So many members that a topic becomes one of uWebSockets. They leave one by one. */
export async function crowds(visitor: Visitor): Promise<void> {
  const topic = visitor.topic('room');
  const encoding = visitor.pick('json', 'msgpack');
  const clients = await Promise.all(visitor.times(visitor.count(18, 30), () => visitor.clientOf(visitor.node, { encoding })));
  for (const client of clients) {
    client.send({ type: 'connect', id: 0 });
    client.send({ type: 'subscribe', id: 1, topic, presence: true });
  }
  await Promise.all(clients.map((client) => client.next('subscribed')));
  await visitor.admin('/api/send', { namespace: 'room', data: 'to all' });
  await visitor.store(topic, 1);
  for (const client of clients) {
    await got(client, topic);
    if (visitor.pick(true, false)) await client.get('unsubscribed', { type: 'unsubscribe', topic });
  }
}

async function got(client: TestClient, topic: string): Promise<void> {
  await client.until(`a publication of ${topic}`, () =>
    client.messages.some((message) => message.type === 'batch' && message.topic === topic),
  );
}
