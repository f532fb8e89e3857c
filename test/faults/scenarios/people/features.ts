import type { TestClient } from '../../../support/test-client.ts';
import { HALL, talkOf } from '../../people/topics.ts';
import { type Community, refusedAs, some, withVisitors } from './community.ts';

const DELIVERED_TIMEOUT_MS = 10_000;
const ANSWERED_TIMEOUT_MS = 20_000;
const SCRIPT = '<script>alert(1)</script>hello <b>you</b>';

/** Every feature, across nodes, while nothing is broken. @param when for the names of what fails */
export async function featuresWork(community: Community, when: string): Promise<void> {
  await withVisitors(community.nodes, async (visitors) => {
    await messagesArrive(community, visitors, when);
    await callsAreAnswered(community, visitors, when);
    await hooksDecide(community, visitors, when);
    await errorsAreTold(community, visitors, when);
  });
}

/** To users, rooms and all, through every door and node: everybody who is subscribed gets each message once. */
async function messagesArrive(
  { run, services, crowd, nodes, users, singles, rooms }: Community,
  visitors: readonly TestClient[],
  when: string,
) {
  const messages: { id: number; topic: string }[] = [];
  const byHttp = async (node: Community['nodes'][number], topic: string) => {
    const id = services.take(topic);
    messages.push({ id, topic });
    const answer = await node.post('/api/publish', { topic, data: { id, to: topic } });
    run.expect(answer.status === 200, `${when}: publishing to ${topic} by HTTP was answered with ${answer.status}: ${await answer.text()}`);
  };
  const byClient = async (visitor: TestClient, topic: string, text?: string) => {
    const id = services.take(topic);
    messages.push({ id, topic });
    const answer = await visitor.ask({ type: 'publish', topic, data: { id, to: topic, ...(text !== undefined && { text }) } });
    run.expect(answer.type === 'published', `${when}: publishing to ${topic} was answered with ${JSON.stringify(answer)}`);
  };
  for (const [i, user] of some([...users, ...singles], 60).entries()) {
    const topic = `user.${user}`;
    messages.push({ id: services.publish(topic), topic });
    await byHttp(nodes[i % nodes.length]!, topic);
    await byClient(visitors[i % visitors.length]!, topic);
  }
  for (const [i, room] of rooms.entries()) {
    messages.push({ id: await services.publishDurable(room), topic: room });
    await byClient(visitors[i % visitors.length]!, room);
    await byClient(visitors[i % visitors.length]!, talkOf(i), SCRIPT);
  }
  for (const node of nodes) await byHttp(node, HALL);
  await services.flush();
  const { expected, missing, examples } = await crowd.delivered({ messages, timeoutMs: DELIVERED_TIMEOUT_MS });
  run.figure('deliveriesExpected', expected);
  run.expect(expected > messages.length, `${when}: ${expected} deliveries of ${messages.length} messages were expected`);
  run.limit('calmMissing', missing, 0);
  if (missing > 0) run.note(`${when}: ${examples.join('; ')}`);
}

/** Every connection calls a service, and must get the answer to its own call, with its own user. */
async function callsAreAnswered({ run, crowd }: Community, visitors: readonly TestClient[], when: string): Promise<void> {
  run.limit('callsUnanswered', await crowd.callAll('who', ANSWERED_TIMEOUT_MS), 0);
  const [visitor] = visitors as [TestClient];
  const call = (method: string) => visitor.ask({ type: 'call', method, timeoutMs: 500 });
  const codes = [];
  for (const method of ['conflict', 'silent', 'nobody', 'large']) codes.push(codeOf(await call(method)));
  run.expect(codes.join() === '409,timeout,no_responders,answer_too_large', `${when}: calls failed with ${codes.join()}`);
  const many = await Promise.all(Array.from({ length: 20 }, () => call('who')));
  run.expect(
    many.some((answer) => codeOf(answer) === 'too_many_calls'),
    `${when}: 20 calls at once were not refused`,
  );
}

async function hooksDecide({ run, services, nodes }: Community, visitors: readonly TestClient[], when: string): Promise<void> {
  const [first, second] = visitors as [TestClient, TestClient];
  const expect = (what: string, code: string, wanted: string) =>
    run.expect(code === wanted, `${when}: ${what} gave ${code}, not ${wanted}`);
  expect('a denied subscribe', codeOf(await first.ask({ type: 'subscribe', topic: 'talk.staff' })), 'members_only');
  expect('a hook that does not answer', codeOf(await first.ask({ type: 'subscribe', topic: 'silent.a' })), 'hook_failed');
  const topic = 'talk.hooks';
  await second.subscribe(topic);
  const publish = (text: string) => first.ask({ type: 'publish', topic, data: { id: services.take(topic), to: topic, text } });
  expect('a denied publish', codeOf(await publish('insult')), 'insult');
  expect('a changed publish', (await publish('change me')).type, 'published');
  const batch = await second.next('batch', (message) => message.topic === topic);
  expect('what the hook changed', (batch.items[0]?.[2] as { text?: string } | undefined)?.text ?? 'nothing', 'changed');
  await second.subscribe('talk.trial');
  const ended = await second.next('error', (message) => message.topic === 'talk.trial');
  expect('an expired permission', ended.code, 'trial_over');
  const banned = await refusedAs(nodes[2], 'banned-1');
  expect('a denied connect', `${banned.code} ${banned.closed}`, 'banned 4001');
}

async function errorsAreTold({ run, users }: Community, visitors: readonly TestClient[], when: string): Promise<void> {
  const [visitor] = visitors as [TestClient];
  const [other] = users as [string];
  const wrong = [
    [await visitor.ask({ type: 'subscribe', topic: `user.${other}` }), 'forbidden'],
    [await visitor.ask({ type: 'history', topic: `user.${other}`, last: 1 }), 'forbidden'],
    [await visitor.ask({ type: 'presence', topic: `user.${other}` }), 'forbidden'],
    [await visitor.ask({ type: 'presence', topic: 'talk.t0' }), 'unsupported'],
    [await visitor.ask({ type: 'subscribe', topic: 'talk.t0', presence: true }), 'unsupported'],
    [await visitor.ask({ type: 'subscribe', topic: 'nowhere.a' }), 'unknown_namespace'],
    [await visitor.ask({ type: 'publish', topic: HALL, data: 1 }), 'forbidden'],
    [await visitor.ask({ type: 'unsubscribe', topic: HALL }), 'not_subscribed'],
  ] as const;
  for (const [answer, code] of wrong) run.expect(codeOf(answer) === code, `${when}: ${JSON.stringify(answer)} instead of ${code}`);
}

function codeOf(answer: { readonly type: string; readonly code?: unknown }): string {
  return answer.type === 'error' ? String(answer.code) : answer.type;
}
