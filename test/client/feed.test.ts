import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Client, CommandError, type Feed } from '../../src/client/index.ts';
import { newCounters } from '../../src/client/stats.ts';
import { Subscription } from '../../src/client/subscription.ts';
import type { TopicHost } from '../../src/client/topic-host.ts';
import type { Liveness, SubscriptionHost } from '../../src/client/topic-types.ts';
import { Topics } from '../../src/client/topics.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { TopicRecorder } from './cases/case-context.ts';

describe('while the node has lost NATS', () => {
  let nats: NatsServer;
  let node: TestNode;
  let proxy: TestProxy;
  const clients: Client[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    node = await TestNode.start({ 'nats.url': nats.url, namespaces: { scores: { public: true } } });
    proxy = await TestProxy.start(node.running.port);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    proxy.reset();
  });
  afterAll(async () => {
    await proxy?.stop();
    await node?.stop();
    await nats?.stop();
  });

  async function connected(): Promise<Client> {
    const client = new Client({ url: `ws://127.0.0.1:${proxy.port}/ws`, backoff: { baseMs: 2, maxMs: 50, jitterMs: 5 } });
    clients.push(client);
    await client.connect();
    return client;
  }

  it('the client and its topics report it, also on a new connection, and report when it is live again', async () => {
    const client = await connected();
    const feeds: Feed[] = [];
    client.on('feed', (feed) => feeds.push(feed));
    const lives: Liveness[] = [];
    const recorder = new TopicRecorder(client, 'scores.a', { onLive: (liveness) => lives.push(liveness) });
    await until('the stream', () => recorder.topic.isLive);
    await node.publish('scores.a', { n: 1 });
    await recorder.reaches(1);
    expect([client.feed, lives]).toEqual([{ live: true }, [{ live: true, reason: undefined }]]);

    await nats.kill9();
    await until('the feed to be away', () => !client.feed.live);
    expect(feeds).toEqual([{ live: false, reason: expect.stringContaining('broker') }]);
    expect([recorder.topic.isLive, recorder.topic.isActive, client.state.status]).toEqual([false, true, 'connected']);
    expect(lives.at(-1)).toEqual({ live: false, reason: feeds[0]?.reason });

    // Told before `connected`, on a connection that begins while the broker is away.
    const late = await connected();
    await until('the late one to know', () => !late.feed.live);
    proxy.cut();
    await until(
      'both to be back',
      () => client.stats().disconnects === 1 && late.stats().disconnects === 1 && client.state.status === 'connected',
    );
    await until('the stream to have begun again', () => recorder.subscribed === 2);
    expect([client.feed.live, recorder.topic.isLive]).toEqual([false, false]);

    const waiting = node.publish('scores.a', { n: 2 });
    await nats.restart();
    await waiting;
    await until('the feed to be live', () => client.feed.live && late.feed.live && recorder.topic.isLive);
    await recorder.reaches(2);
    expect(recorder.numbers).toEqual([1, 2]);
    expect(feeds.map(({ live }) => live)).toEqual([false, true]);
    expect(lives.at(-1)).toEqual({ live: true, reason: undefined });
  });

  it('a client that reconnects after it is live again gets no message, and knows it', async () => {
    const client = await connected();
    await nats.kill9();
    await until('the feed to be away', () => !client.feed.live);
    proxy.refusing = true;
    proxy.cut();
    await nats.restart();
    await until('the node to be ready', async () => (await node.admin('/health/ready')).status === 200);
    proxy.refusing = false;
    await until('the client to be back', () => client.state.status === 'connected');
    expect(client.feed).toEqual({ live: true });
  });
});

describe('a topic is live', () => {
  let feed: Feed;
  let isConnected: boolean;
  let subscription: Subscription;
  let lives: boolean[];

  beforeEach(() => {
    feed = { live: true };
    isConnected = true;
    lives = [];
    const host = {
      connection: {
        get feed() {
          return feed;
        },
        get isConnected() {
          return isConnected;
        },
      },
      settings: { holdItemsMax: 100, stateKeysMax: 100, requestTimeoutMs: 1000 },
      counters: newCounters(),
      ask: (_: unknown, { onAnswer }: { onAnswer(message: unknown): void }) => {
        onAnswer({ type: 'subscribed', id: 1, topic: 'a.b', epoch: 'e1', offset: 5, recovered: false, items: [], upTo: 7 });
        return Promise.resolve();
      },
      deactivate: () => undefined,
      observeLatency: () => undefined,
    } as unknown as SubscriptionHost;
    subscription = new Subscription('a.b', {}, host);
    subscription.events.on('live', ({ live }) => lives.push(live));
    subscription.resubscribe();
  });

  const begin = () => subscription.receive({ type: 'batch', topic: 'a.b', epoch: 'e1', prev: 5, sentAtMs: 0, items: [[7]] });
  const tell = (live: boolean) => subscription.receive({ type: 'feed', topic: 'a.b', live, ...(!live && { reason: 'refused' }) });
  const connection = (live: boolean) => {
    feed = live ? { live } : { live, reason: 'away' };
    subscription.tellLiveness();
  };

  it('when all its initial items have arrived', () => {
    expect(subscription.status.liveness.live).toBe(false);
    begin();
    expect([subscription.status.liveness.live, lives]).toEqual([true, [true]]);
  });

  it('when the feeds of the connection and of the topic are both live; each change is reported once', () => {
    begin();
    tell(false);
    tell(false);
    expect(subscription.status.liveness).toEqual({ live: false, reason: 'refused' });
    connection(false);
    expect(subscription.status.liveness).toEqual({ live: false, reason: 'away' });
    connection(true);
    expect(subscription.status.liveness).toEqual({ live: false, reason: 'refused' });
    tell(true);
    tell(true);
    expect([subscription.status.liveness.live, lives]).toEqual([true, [true, false, false, false, true]]);
  });

  it('only while there is a connection, and again with the next stream', () => {
    begin();
    tell(false);
    isConnected = false;
    subscription.disconnected();
    expect(subscription.status.liveness.live).toBe(false);
    isConnected = true;
    subscription.resubscribe();
    begin();
    expect(subscription.status.liveness.live).toBe(true);
  });
});

it('an error about no topic does not end the topic named undefined', () => {
  const host = {
    connection: { isConnected: false, feed: { live: true }, topicsMax: 10 },
    settings: { holdItemsMax: 10 },
    counters: newCounters(),
    reportError: () => {},
  };
  const topics = new Topics(host as unknown as TopicHost);
  const topic = topics.get('undefined', {});
  topic.subscribe(() => {});
  const error = new CommandError({ code: 'rate_limited', message: 'too fast', retryable: true });
  expect([topics.fail({}, error), topic.isActive]).toEqual([false, true]);
  expect([topics.fail({ topic: 'undefined' }, error), topic.isActive]).toEqual([true, false]);
});
