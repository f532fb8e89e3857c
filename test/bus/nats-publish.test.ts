import { headers, type NatsConnection, connect as natsConnect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { Inbox, textOf } from '../support/publications.ts';
import { question } from '../support/question.ts';
import { rawPublish } from '../support/raw-publish.ts';
import { connectedBecomes } from './connected.ts';
import { busConfig } from './nats-config.ts';

const TOPIC = parseTopic('scores.match');
const LIVE = parseTopic('user.ana');

const buses: Bus[] = [];
let server: NatsServer;
let producer: NatsConnection;

beforeAll(async () => {
  server = await startNatsServer();
  producer = await natsConnect({ servers: server.url });
});
afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.stop();
});
afterAll(async () => {
  await producer.close();
  await server.stop();
});

async function start(settings: Readonly<Record<string, unknown>> = {}, url = server.url): Promise<Bus> {
  const bus = await createBus(busConfig(url, settings));
  buses.push(bus);
  await bus.start();
  return bus;
}

function publish(bus: Bus, text: string, topic = TOPIC) {
  return bus.publish({ topic, key: null, payload: Buffer.from(text), payloadKind: 'json' });
}

describe('publishing through NATS', () => {
  it('stores once what was published to a server that hung, was killed and restarted', async () => {
    const own = await startNatsServer();
    try {
      const bus = await start({}, own.url);
      own.signal('SIGSTOP');
      const publishes = Promise.all(Array.from({ length: 50 }, (_, i) => publish(bus, String(i))));
      await connectedBecomes(bus, false);
      own.signal('SIGCONT');
      await own.kill9();
      await own.restart();
      const acks = await publishes;
      expect(new Set(acks.map(({ offset }) => offset)).size).toBe(50);
      expect((await bus.log('scores').state()).lastOffset).toBe(50);
      expect(bus.counters.publishRetries).toBeGreaterThanOrEqual(50);
    } finally {
      for (const bus of buses.splice(0)) await bus.stop();
      await own.stop();
    }
  });

  it('does not know the outcome when the server took it and never answered within the budget', async () => {
    const own = await startNatsServer();
    try {
      const bus = await start({ 'tuning.nats.publishBudgetMs': 300 }, own.url);
      own.signal('SIGSTOP');
      await expect(publish(bus, 'x')).rejects.toMatchObject({ code: 'publish_timeout' });
      own.signal('SIGCONT');
    } finally {
      for (const bus of buses.splice(0)) await bus.stop();
      await own.stop();
    }
  });

  it('knows that nothing was stored when the server was away all the time; an ephemeral publish fails at once', async () => {
    const own = await startNatsServer();
    try {
      const bus = await start({ 'tuning.nats.publishBudgetMs': 300 }, own.url);
      await own.kill9();
      await connectedBecomes(bus, false);
      await expect(publish(bus, 'x', LIVE)).rejects.toMatchObject({ code: 'bus_unreachable' });
      await expect(publish(bus, 'x')).rejects.toMatchObject({ code: 'bus_unreachable' });
      await expect(bus.log('scores').state()).rejects.toMatchObject({ code: 'bus_unreachable' });
      await expect(bus.log('scores').read(TOPIC, { after: 0, limit: 1 })).rejects.toMatchObject({ code: 'bus_unreachable' });
      await expect(bus.call(question('any'))).rejects.toMatchObject({ code: 'bus_unreachable' });
    } finally {
      for (const bus of buses.splice(0)) await bus.stop();
      await own.stop();
    }
  });

  it('is refused permanently if the payload exceeds the limit of the server', async () => {
    const bus = await start();
    const payload = Buffer.alloc(2_000_000);
    const publishing = bus.publish({ topic: TOPIC, key: null, payload, payloadKind: 'bytes' });
    await expect(publishing).rejects.toMatchObject({ code: 'publish_refused' });
    const volatile = bus.publish({ topic: LIVE, key: null, payload, payloadKind: 'bytes' });
    await expect(volatile).rejects.toMatchObject({ code: 'publish_refused' });
  });
});

describe('messages that producers publish directly into NATS', () => {
  it('arrives with the kind that its Content-Type says, or none', async () => {
    const bus = await start();
    const { lastOffset } = await bus.log('scores').state();
    const inbox = new Inbox();
    await bus.log('scores').follow(lastOffset, inbox.receive, inbox.fail);
    producer.publish('feed.scores.match', 'plain');
    for (const type of ['application/json; charset=utf-8', 'application/MSGPACK', 'application/octet-stream', 'text/plain', '']) {
      const all = headers();
      // NATS keeps the case of a name as it was written.
      all.set(type === 'application/octet-stream' ? 'content-type' : 'Content-Type', type);
      producer.publish('feed.scores.match', type, { headers: all });
    }
    await inbox.count(6);
    const kinds = inbox.publications.map(({ payloadKind }) => payloadKind);
    expect(kinds).toEqual([undefined, 'json', 'msgpack', 'bytes', undefined, undefined]);
    expect(inbox.publications.every(({ origin }) => origin === undefined)).toBe(true);
  });

  it('are skipped and counted if their subject is not a topic, and later ones are delivered', async () => {
    const bus = await start();
    const { lastOffset } = await bus.log('scores').state();
    const inbox = new Inbox();
    const follower = await bus.log('scores').follow(lastOffset, inbox.receive, inbox.fail);
    for (const subject of ['feed.scores.bad$token', `feed.scores.${'x'.repeat(65)}`, 'feed.scores.1.2.3.4.5.6.7.8', 'feed.scores.ü']) {
      producer.publish(subject, 'bad');
    }
    producer.publish('feed.scores.match', 'good');
    await inbox.count(1);
    expect(inbox.texts).toEqual(['good']);
    expect([...bus.faults()]).toEqual([
      { namespace: 'scores', fault: 'bad_token', messages: 3 },
      { namespace: 'scores', fault: 'wrong_depth', messages: 1 },
    ]);
    expect(follower.position).toBe(lastOffset + 5);
  });

  it('is skipped in a keyed namespace when it has no key', async () => {
    const bus = await start();
    const { lastOffset } = await bus.log('ticks').state();
    const inbox = new Inbox();
    await bus.log('ticks').follow(lastOffset, inbox.receive, inbox.fail);
    producer.publish('feed.ticks', 'no key');
    producer.publish('feed.ticks.AAPL', 'key of the topic ticks');
    await inbox.count(1);
    expect(inbox.publications[0]).toMatchObject({ topic: 'ticks', key: 'AAPL' });
    expect([...bus.faults()]).toContainEqual({ namespace: 'ticks', fault: 'wrong_depth', messages: 1 });
  });

  it('arrives with its payload when its headers are broken', async () => {
    const bus = await start();
    const inbox = new Inbox();
    await bus.listen(LIVE, inbox).live;
    // The server does not look into headers; the client library throws when asked for these.
    await rawPublish(server.port, 'feed.user.ana', 'NATS/1.0\r\nbad name\x00: x\r\n\r\n', 'payload');
    await rawPublish(server.port, 'feed.user.ana', 'NATS/1.0\r\nStentor-Connection: %E0%A4%A\r\nContent-Type\r\n\r\n', 'again');
    producer.publish('feed.user.ana', 'last');
    await inbox.count(3);
    expect(inbox.publications.map(textOf)).toEqual(['payload', 'again', 'last']);
    expect(inbox.publications[1]).toMatchObject({ origin: undefined, payloadKind: undefined });
  });
});

describe('a listener', () => {
  it('misses nothing that anybody publishes after it is live', async () => {
    const bus = await start();
    const inbox = new Inbox();
    for (let n = 0; n < 200; n++) {
      const { live } = bus.listen(parseTopic(`user.live-${n}`), inbox);
      await live;
      producer.publish(`feed.user.live-${n}`, String(n));
    }
    await inbox.count(200);
    expect(inbox.texts).toEqual(Array.from({ length: 200 }, (_, n) => String(n)));
  });

  it('does not wait for an unreachable server', async () => {
    const own = await startNatsServer();
    try {
      const bus = await start({}, own.url);
      await own.kill9();
      await connectedBecomes(bus, false);
      await bus.listen(LIVE, { onPublication: () => undefined }).live;
    } finally {
      for (const bus of buses.splice(0)) await bus.stop();
      await own.stop();
    }
  });
});

describe('a call', () => {
  it('is answered by a service on its subject', async () => {
    const bus = await start();
    producer.subscribe('rpc.echo', { callback: (_, message) => void message.respond(Buffer.concat([message.data, Buffer.from('!')])) });
    producer.subscribe('rpc.silent', { callback: () => undefined });
    await producer.flush();
    const answer = await bus.call(question('echo', 'hi'));
    expect(answer.kind === 'result' && Buffer.from(answer.payload).toString()).toBe('hi!');
    await expect(bus.call(question('silent', 'hi', 50))).rejects.toMatchObject({ code: 'call_timeout' });
  });
});
