import { afterEach, describe, expect, it } from 'vitest';
import { Client, type ClientOptions } from '../../src/client/index.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { TopicRecorder } from './cases/case-context.ts';

const NAMESPACES = { open: { public: true, clientPublish: true }, closed: {} };
const FAST = { baseMs: 2, maxMs: 50, jitterMs: 5, stableAfterMs: 0 };

let node: TestNode;
let proxy: TestProxy;
const clients: Client[] = [];

async function start(settings: Record<string, unknown>): Promise<void> {
  node = await TestNode.start({ namespaces: NAMESPACES, 'limits.messagesPerSecondMax': 2000, ...settings });
  proxy = await TestProxy.start(node.running.port);
}
function client(options: Partial<ClientOptions> = {}): Client {
  const made = new Client({ url: `ws://127.0.0.1:${proxy.port}/ws`, backoff: FAST, ...options });
  clients.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(clients.splice(0).map((one) => one.close()));
  await proxy.stop();
  await node.stop();
});

const codes = ({ errors }: TopicRecorder) => errors.map(({ code }) => code);

describe('more topics than the server permits', () => {
  const TOPICS = 1000;
  const MAX = 128;

  it.each(['before', 'after'] as const)('are each told, and the others go on over reconnects (subscribed %s connecting)', async (when) => {
    await start({ 'limits.topicsPerConnectionMax': MAX });
    const one = client();
    if (when === 'after') await one.connect();
    const recorders = Array.from({ length: TOPICS }, (_, n) => new TopicRecorder(one, `open.t${n}`));
    await one.connect();
    const [good, rest] = [recorders.slice(0, MAX), recorders.slice(MAX)];
    await until(
      'the good ones to be subscribed, the rest to be told',
      () => good.every((recorder) => recorder.subscribed === 1) && rest.every((recorder) => recorder.errors.length === 1),
    );
    expect(new Set(rest.flatMap(codes))).toEqual(new Set(['too_many_topics']));
    expect(rest.some(({ topic }) => topic.isActive)).toBe(false);
    for (let round = 1; round <= 3; round++) {
      proxy.cut();
      await until('all of the good ones to be back', () => good.every((recorder) => recorder.subscribed === 1 + round));
      for (const { topic } of good) await node.publish(topic.name, { n: round });
      await until('all of the good ones to hear', () => good.every((recorder) => recorder.items.length === round));
    }
    expect([good.flatMap(codes), one.state.status]).toEqual([[], 'connected']);
    // Refused by the client itself: the server has never been asked.
    expect(await node.metric('stentor_errors_total', { code: 'too_many_topics' })).toBe(0);
  });

  it('fit again when another has been left, and a loop over one too many ends with the error', async () => {
    await start({ 'limits.topicsPerConnectionMax': 2 });
    const one = client();
    await one.connect();
    const [first] = ['open.a', 'open.b'].map((name) => new TopicRecorder(one, name));
    await expect(one.topic('open.c').items().next()).rejects.toMatchObject({ code: 'too_many_topics', retryable: false });
    first?.stop();
    const third = new TopicRecorder(one, 'open.c');
    await until('the third to be subscribed', () => third.subscribed === 1);
    // Listening twice to one topic is one subscription.
    const again = new TopicRecorder(one, 'open.c');
    await until('the same topic again', () => again.topic.isActive);
    expect([codes(third), codes(again)]).toEqual([[], []]);
  });
});

describe('a connection that the server ends for good', () => {
  it('ends every subscription, loop and call with an error, and starts again on request', async () => {
    await start({ 'tuning.commands.errorsPerMinuteMax': 3 });
    const one = client();
    await one.connect();
    const recorders = ['open.a', 'open.b', 'open.c'].map((name) => new TopicRecorder(one, name));
    await until('all to be subscribed', () => recorders.every(({ subscribed }) => subscribed === 1));
    const looping = recorders.map(({ topic }) => topic.items().next());
    const ends = Promise.allSettled(looping);
    // An anonymous client's calls are mistakes: more than three end the connection with 4009.
    const calls = Promise.allSettled(Array.from({ length: 10 }, () => one.call('nobody')));
    await until('the end', () => one.state.status === 'disconnected');
    expect(one.state).toMatchObject({ reason: { code: 4009 } });
    expect(recorders.map(codes)).toEqual([['disconnected'], ['disconnected'], ['disconnected']]);
    expect(recorders.some(({ topic }) => topic.isActive || topic.isLive)).toBe(false);
    for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'disconnected' } });
    for (const call of await calls) expect(call.status).toBe('rejected');

    await one.connect();
    const again = new TopicRecorder(one, 'open.a');
    await until('a new subscription', () => again.subscribed === 1);
    await node.publish('open.a', { n: 1 });
    await again.reaches(1);
  });

  it('are not reported when the application itself closes the client', async () => {
    await start({});
    const one = client();
    await one.connect();
    const recorder = new TopicRecorder(one, 'open.a');
    await until('the subscription', () => recorder.subscribed === 1);
    const next = recorder.topic.items().next();
    await one.close();
    expect([codes(recorder), await next]).toEqual([[], { done: true, value: undefined }]);
  });
});
