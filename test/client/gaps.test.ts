import { afterEach, describe, expect, it } from 'vitest';
import { Client, CommandError } from '../../src/client/index.ts';
import { newCounters } from '../../src/client/stats.ts';
import { Subscription } from '../../src/client/subscription.ts';
import type { SubscriptionHost } from '../../src/client/topic-types.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { FrameProxy } from '../support/frame-proxy.ts';
import { TestNode } from '../support/node.ts';
import { until } from '../support/until.ts';
import { TopicRecorder } from './cases/case-context.ts';

describe('a batch that was lost on the way', () => {
  let node: TestNode;
  let proxy: FrameProxy;
  let client: Client;
  afterEach(async () => {
    await client.close();
    await proxy.stop();
    await node.stop();
  });

  it.each([
    ['from the history', {}, { gaps: 1, subscribed: 1 }],
    ['by subscribing again where clients may read no history', { history: { clientItemsMax: 0 } }, { gaps: 1, subscribed: 2 }],
  ] as const)('is brought %s, in order and once', async (_, options, expected) => {
    node = await TestNode.start({ namespaces: { open: { public: true, ...options } } });
    proxy = await FrameProxy.start(node.url);
    client = new Client({ url: proxy.url });
    await client.connect();
    const recorder = new TopicRecorder(client, 'open.a');
    await until('the subscription', () => recorder.subscribed === 1);
    let lost = 0;
    proxy.fault = { kind: 'lost', isLost: (message) => message.type === 'batch' && lost++ === 0 };
    await node.publish('open.a', { n: 1 });
    await until('the loss', () => lost === 1);
    await node.publish('open.a', { n: 2 });
    await recorder.reaches(2);
    await node.publish('open.a', { n: 3 });
    await recorder.reaches(3);
    expect(recorder.numbers).toEqual([1, 2, 3]);
    expect({ gaps: client.stats().gaps, subscribed: recorder.subscribed }).toEqual(expected);
    expect([recorder.resyncs, client.stats().disconnects]).toEqual([[], 0]);
  });
});

describe('a batch of a filter that was lost on the way', () => {
  it('is brought from the history, of which the filter selects too', async () => {
    const node = await TestNode.start({ namespaces: { open: { public: true } } });
    const proxy = await FrameProxy.start(node.url);
    const client = new Client({ url: proxy.url });
    await client.connect();
    const recorder = new TopicRecorder(client, 'open.a', { filter: { kind: 'x' } });
    await until('the subscription', () => recorder.subscribed === 1);
    let lost = 0;
    proxy.fault = { kind: 'lost', isLost: (message) => message.type === 'batch' && lost++ === 0 };
    const publish = (n: number, kind: string) => node.publish('open.a', { n }, { tags: { kind } });
    await publish(1, 'x');
    await until('the loss', () => lost === 1);
    await publish(2, 'y');
    await publish(3, 'x');
    await recorder.reaches(3);
    await publish(4, 'x');
    await recorder.reaches(4);
    expect(recorder.numbers).toEqual([1, 3, 4]);
    expect({ gaps: client.stats().gaps, subscribed: recorder.subscribed, resyncs: recorder.resyncs }).toEqual({
      gaps: 1,
      subscribed: 1,
      resyncs: [],
    });
    await client.close();
    await proxy.stop();
    await node.stop();
  });
});

describe('a gap whose history is refused', () => {
  /** What a subscription asks, and how it is answered. */
  function hostWith(
    answer: (type: string) => ServerMessage<'subscribed'>,
    refusal: CommandError,
  ): { host: SubscriptionHost; asked: string[] } {
    const asked: string[] = [];
    const host = {
      connection: { isConnected: true, feed: { live: true } },
      settings: {
        holdItemsMax: 100,
        stateKeysMax: 100,
        requestTimeoutMs: 1000,
        backoff: { baseMs: 1, maxMs: 1, jitterMs: 0, stableAfterMs: 0 },
      },
      counters: newCounters(),
      observeLatency: () => undefined,
      deactivate: () => undefined,
      reportError: () => undefined,
      ask: ({ type }: { type: string }, { onAnswer }: { onAnswer?: (message: unknown) => void }) => {
        asked.push(type);
        if (type === 'history') return Promise.reject(refusal);
        onAnswer?.(answer(type));
        return Promise.resolve();
      },
    } as unknown as SubscriptionHost;
    return { host, asked };
  }
  const subscribed: ServerMessage<'subscribed'> = {
    type: 'subscribed',
    id: 1,
    topic: 'open.a',
    epoch: 'e1',
    offset: 5,
    recovered: true,
    items: [],
  };
  const batch: ServerMessage<'batch'> = { type: 'batch', topic: 'open.a', epoch: 'e1', prev: 7, sentAtMs: 0, items: [[8, null, 8]] };

  it.each([
    [undefined, ['subscribe', 'history', 'subscribe']],
    [10, ['subscribe', 'history']],
  ])('is closed by subscribing again, and not before retryAfterMs (%s)', async (retryAfterMs, askedSoon) => {
    const refusal = new CommandError({
      code: 'busy',
      message: 'too much',
      retryable: true,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
    const { host, asked } = hostWith(() => subscribed, refusal);
    const subscription = new Subscription('open.a', { since: { epoch: 'e1', offset: 5 } }, host);
    subscription.resubscribe();
    subscription.receive(batch);
    // The refusal's turn, and nothing behind it.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect(asked).toEqual(askedSoon);
    await until('the new subscription', () => asked.length === 3);
    expect(asked).toEqual(['subscribe', 'history', 'subscribe']);
    subscription.end(undefined);
  });
});
