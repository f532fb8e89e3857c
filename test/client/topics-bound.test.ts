import { afterEach, describe, expect, it } from 'vitest';
import { Client, type ClientOptions } from '../../src/client/index.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { Ear } from './cases/kit.ts';

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

const codes = ({ errors }: Ear) => errors.map(({ code }) => code);

describe('more topics than the server takes', () => {
  const TOPICS = 1000;
  const MAX = 128;

  it.each(['before', 'after'] as const)('are each told, and the others go on over reconnects (subscribed %s connecting)', async (when) => {
    await start({ 'limits.topicsPerConnectionMax': MAX });
    const one = client();
    if (when === 'after') await one.connect();
    const ears = Array.from({ length: TOPICS }, (_, n) => new Ear(one, `open.t${n}`));
    await one.connect();
    const [good, rest] = [ears.slice(0, MAX), ears.slice(MAX)];
    await until(
      'the good ones to be subscribed, the rest to be told',
      () => good.every((ear) => ear.subscribed === 1) && rest.every((ear) => ear.errors.length === 1),
    );
    expect(new Set(rest.flatMap(codes))).toEqual(new Set(['too_many_topics']));
    expect(rest.some(({ topic }) => topic.isActive)).toBe(false);
    for (let round = 1; round <= 3; round++) {
      proxy.cut();
      await until('all of the good ones to be back', () => good.every((ear) => ear.subscribed === 1 + round));
      for (const { topic } of good) await node.publish(topic.name, { n: round });
      await until('all of the good ones to hear', () => good.every((ear) => ear.items.length === round));
    }
    expect([good.flatMap(codes), one.state.status]).toEqual([[], 'connected']);
    // Refused by the client itself: the server has never been asked.
    expect(await node.metric('stentor_errors_total', { code: 'too_many_topics' })).toBe(0);
  });

  it('fit again when another has been left, and a loop over one too many ends with the error', async () => {
    await start({ 'limits.topicsPerConnectionMax': 2 });
    const one = client();
    await one.connect();
    const [first] = ['open.a', 'open.b'].map((name) => new Ear(one, name));
    await expect(one.topic('open.c').items().next()).rejects.toMatchObject({ code: 'too_many_topics', retryable: false });
    first?.stop();
    const third = new Ear(one, 'open.c');
    await until('the third to be subscribed', () => third.subscribed === 1);
    // Listening twice to one topic is one subscription.
    const again = new Ear(one, 'open.c');
    await until('the same topic again', () => again.topic.isActive);
    expect([codes(third), codes(again)]).toEqual([[], []]);
  });
});

describe('a connection that the server ends for good', () => {
  it('ends every subscription, loop and call with an error, and begins anew when it is told to', async () => {
    await start({ 'limits.errorsPerMinuteMax': 3 });
    const one = client();
    await one.connect();
    const ears = ['open.a', 'open.b', 'open.c'].map((name) => new Ear(one, name));
    await until('all to be subscribed', () => ears.every(({ subscribed }) => subscribed === 1));
    const looping = ears.map(({ topic }) => topic.items().next());
    const ends = Promise.allSettled(looping);
    // An anonymous client's calls are mistakes: more than three end the connection with 4009.
    const calls = Promise.allSettled(Array.from({ length: 10 }, () => one.call('nobody')));
    await until('the end', () => one.state.status === 'disconnected');
    expect(one.state).toMatchObject({ reason: { code: 4009 } });
    expect(ears.map(codes)).toEqual([['disconnected'], ['disconnected'], ['disconnected']]);
    expect(ears.some(({ topic }) => topic.isActive || topic.isLive)).toBe(false);
    for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'disconnected' } });
    for (const call of await calls) expect(call.status).toBe('rejected');

    await one.connect();
    const again = new Ear(one, 'open.a');
    await until('a new subscription', () => again.subscribed === 1);
    await node.publish('open.a', { n: 1 });
    await again.reaches(1);
  });

  it('is told nobody when the application itself closes the client', async () => {
    await start({});
    const one = client();
    await one.connect();
    const ear = new Ear(one, 'open.a');
    await until('the subscription', () => ear.subscribed === 1);
    const next = ear.topic.items().next();
    await one.close();
    expect([codes(ear), await next]).toEqual([[], { done: true, value: undefined }]);
  });
});
