import { afterEach, describe, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';

const nodes: TestNode[] = [];
const servers: NatsServer[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<{ node: TestNode; nats: NatsServer }> {
  const nats = await startNatsServer();
  servers.push(nats);
  const node = await TestNode.start({
    namespaces: { chat: { public: true, clientPublish: true }, live: { public: true, clientPublish: true, durable: false } },
    'nats.url': nats.url,
    'tuning.nats.requestTimeoutMs': 500,
    ...settings,
  });
  nodes.push(node);
  return { node, nats };
}

afterEach(async () => {
  for (const nats of servers) nats.signal('SIGCONT');
  for (const node of nodes.splice(0)) await node.stop();
  for (const nats of servers.splice(0)) await nats.stop();
});

describe('a publish while NATS does not answer', () => {
  it('fails with outcome_unknown when its budget is over, and the same idempotency key stores it once later', async () => {
    const { node, nats } = await start({ 'tuning.nats.publishBudgetMs': 1500 });
    const client = await node.connect({ encoding: 'msgpack', token: await tokenOf() });
    const publish = () => client.ask({ type: 'publish', topic: 'chat.a', data: 1, idempotencyKey: 'k' });
    nats.signal('SIGSTOP');
    expect(await publish()).toMatchObject({ type: 'error', code: 'outcome_unknown', retryable: true });
    nats.signal('SIGCONT');
    let answer = await publish();
    while (answer.type === 'error' && answer.retryable) answer = await publish();
    expect(answer).toMatchObject({ type: 'published', offset: 1 });
    const history = await client.get('history', { type: 'history', topic: 'chat.a' });
    expect(history.items).toHaveLength(1);
  });

  it('is stored once if NATS is back within the time budget, without a retry of the client', async () => {
    const { node, nats } = await start();
    const client = await node.connect({ encoding: 'json', token: await tokenOf() });
    await client.subscribe('chat.a');
    await nats.kill9();
    const answers = Promise.all([1, 2, 3].map((data) => client.ask({ type: 'publish', topic: 'chat.a', data })));
    await nats.restart();
    expect((await answers).map(({ type }) => type)).toEqual(['published', 'published', 'published']);
    const tracker = client.track('chat.a');
    await client.until('all three', () => tracker.items.length === 3);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
  });

  it('on an ephemeral topic fails immediately, because it is not kept', async () => {
    const { node, nats } = await start();
    const client = await node.connect({ encoding: 'json', token: await tokenOf() });
    await nats.kill9();
    await node.untilMetric('stentor_bus_connected', (connected) => connected === 0);
    expect(await client.ask({ type: 'publish', topic: 'live.a', data: 1 })).toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('above publishesInFlightMax is refused with busy: what waits for NATS is bounded', async () => {
    const { node, nats } = await start({
      'tuning.commands.publishesInFlightMax': 8,
      'tuning.commands.publishesPerConnectionMax': 8,
      'tuning.nats.publishBudgetMs': 3000,
    });
    const clients = await Promise.all([1, 2].map(async () => node.connect({ encoding: 'json', token: await tokenOf() })));
    nats.signal('SIGSTOP');
    const waiting = clients.flatMap((client) =>
      Array.from({ length: 8 }, (_, data) => client.ask({ type: 'publish', topic: 'chat.a', data })),
    );
    const answers = await Promise.all(waiting);
    const codes = answers.map((answer) => (answer.type === 'error' ? answer.code : answer.type)).sort();
    expect(codes.filter((code) => code === 'busy')).toHaveLength(8);
    expect(codes.filter((code) => code === 'outcome_unknown')).toHaveLength(8);
    expect(await node.metric('stentor_publishes_in_flight')).toBe(0);
  });
});
