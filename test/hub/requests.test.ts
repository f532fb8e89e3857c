import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { BusError, type BusErrorCode } from '../../src/bus/bus-error.ts';
import type { PublishAck, PublishRequest } from '../../src/bus/publication.ts';
import type { CallAnswer, CallQuestion } from '../../src/bus/requests.ts';
import { loadConfig } from '../../src/config/load.ts';
import { HubMetrics } from '../../src/hub/hub-metrics.ts';
import { Publisher } from '../../src/hub/publisher.ts';
import { RequestHandler } from '../../src/hub/requests.ts';
import { Sanitizer } from '../../src/hub/sanitizing/sanitizer.ts';
import { TopicRegistry } from '../../src/hub/topic-registry.ts';
import type { ToHub } from '../../src/link/messages.ts';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { RecordingLink } from '../support/recording-link.ts';

const topic = 'scores.a' as Topic;
/** An internal error text of a bus. Clients must not get it. */
const INSIDE = 'stream STENTOR_scores on nats://10.0.0.7';

/** What a call that the bus has not answered yet may be answered with. */
interface Waiting<Q, T> {
  readonly asked: Q;
  resolve(answer: T): void;
  reject(error: Error): void;
}

function setUp(settings: Readonly<Record<string, unknown>> = {}, sanitizer?: Sanitizer) {
  const { config } = loadConfig({
    env: {},
    flags: { namespaces: { scores: { public: true }, keyed: { state: 'keyed' } }, 'log.level': 'silent', ...settings },
  });
  const logger = createLogger(config.log);
  const metrics = new HubMetrics(new Registry(), logger);
  const publishes: Waiting<PublishRequest, PublishAck>[] = [];
  const calls: Waiting<CallQuestion, CallAnswer>[] = [];
  const fake = new FakeBus();
  const bus = fake.as({
    publish: (asked) => new Promise((resolve, reject) => publishes.push({ asked, resolve, reject })),
    call: (asked) => new Promise((resolve, reject) => calls.push({ asked, resolve, reject })),
  });
  const registry = new TopicRegistry(config, bus, logger, metrics);
  const publisher = new Publisher(config, bus, metrics);
  const requests = new RequestHandler({ config, bus, nodeId: 'n1', registry, publisher, sanitizer, metrics, logger });
  return { requests, registry, log: fake.log('scores'), publishes, calls, worker: new RecordingLink(), metrics };
}

type Publish = Extract<ToHub, { kind: 'publish' }>;
type Call = Extract<ToHub, { kind: 'call' }>;
const publish = (requestId: number, more: Partial<Publish> = {}): Publish => ({
  kind: 'publish',
  requestId,
  topic,
  key: null,
  data: packMsgpack({ n: requestId }),
  idempotencyKey: undefined,
  user: 'ann',
  connectionId: 'c1',
  ...more,
});
const call = (requestId: number, more: Partial<Call> = {}): Call =>
  ({
    kind: 'call',
    requestId,
    method: 'echo',
    data: packMsgpack({ n: requestId }),
    timeoutMs: 1000,
    user: 'ann',
    connectionId: 'c1',
    ...more,
  }) as Call;
const answerOf = (text: string): CallAnswer => ({ kind: 'result', payload: Buffer.from(text), payloadKind: undefined });

describe('a publish that a worker asks for', () => {
  it('is answered with where the log has it', async () => {
    const { requests, publishes, worker } = setUp();
    const answered = requests.publish(worker, publish(7));
    expect(publishes[0]?.asked).toMatchObject({ topic, key: null, origin: { user: 'ann', connectionId: 'c1' } });
    publishes[0]?.resolve({ epoch: 'e1', offset: 5, duplicate: false });
    await answered;
    expect(worker.sent).toEqual([{ kind: 'published', requestId: 7, epoch: 'e1', offset: 5, duplicate: false }]);
  });

  it('has the same message id for the same idempotency key of a user and topic, and for no other', async () => {
    const { requests, publishes, worker } = setUp();
    const ask = (more: Partial<Publish>) => void requests.publish(worker, publish(1, { idempotencyKey: 'k', ...more }));
    ask({});
    ask({ connectionId: 'c2' });
    ask({ user: 'bob' });
    ask({ topic: 'scores.b' as Topic });
    ask({ idempotencyKey: 'l' });
    ask({ idempotencyKey: undefined });
    const [first, again, ...others] = publishes.map(({ asked }) => asked.messageId);
    expect(first).toBe(again);
    expect(new Set([first, ...others]).size).toBe(5);
    expect(others.at(-1)).toBeUndefined();
  });

  it('answers each with its own id, in the order in which the log has them', async () => {
    const { requests, publishes, worker } = setUp();
    const all = [1, 2, 3].map((id) => requests.publish(worker, publish(id)));
    for (const at of [2, 0, 1]) {
      publishes[at]?.resolve({ epoch: 'e1', offset: 10 + at, duplicate: false });
      await all[at];
    }
    expect(worker.sent).toMatchObject([
      { requestId: 3, offset: 12 },
      { requestId: 1, offset: 10 },
      { requestId: 2, offset: 11 },
    ]);
  });

  it('is refused by the rules before the log sees it', async () => {
    const { requests, publishes, worker } = setUp();
    await requests.publish(worker, publish(1, { topic: 'keyed.a' as Topic }));
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 1, code: 'key_required' }]);
    expect(publishes).toEqual([]);
  });

  it.each<[BusErrorCode, string]>([
    ['publish_timeout', 'outcome_unknown'],
    ['bus_unreachable', 'unavailable'],
    ['publish_refused', 'unavailable'],
    ['permission_denied', 'unavailable'],
    ['bus_closed', 'unavailable'],
    ['bus_busy', 'busy'],
  ])('that fails with %s is answered with %s, and without what the bus says of its inside', async (code, told) => {
    const { requests, publishes, worker } = setUp();
    const answered = requests.publish(worker, publish(1));
    publishes[0]?.reject(new BusError(code, code === 'bus_busy' ? 'too many' : INSIDE));
    await answered;
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 1, code: told }]);
    expect(JSON.stringify(worker.sent)).not.toContain(INSIDE);
  });
});

describe('a publish that waits to be sanitized', () => {
  it('is not stored if its client has lost its permission meanwhile, and those of others are', async () => {
    const settings = { namespaces: { scores: { sanitize: 'text' } } };
    const { config } = loadConfig({ env: {}, flags: settings });
    const turns: (() => void)[] = [];
    const clock = { now: () => 0, later: (turn: () => void) => void turns.push(turn) };
    const watch = { cleaned: () => {}, refused: () => {}, waiting: () => {} };
    const { requests, publishes, worker } = setUp(settings, await Sanitizer.create(config, { watch: () => watch, clock }));
    const asked = ['c1', 'c1', 'c2'].map((connectionId, i) =>
      requests.publish(worker, publish(i, { connectionId, data: packMsgpack('<b>x</b>') })),
    );
    requests.withdraw({ kind: 'withdraw', connectionId: 'c1', code: 'token_revoked', message: 'revoked' });
    for (const turn of turns) turn();
    await Promise.all(asked.slice(0, 2));
    const refused = { kind: 'failed', code: 'token_revoked', message: 'revoked' };
    expect(worker.sent).toEqual([0, 1].map((requestId) => ({ ...refused, requestId })));
    expect(publishes.map(({ asked: { origin } }) => origin?.connectionId)).toEqual(['c2']);
  });
});

describe('a call that a worker asks for', () => {
  it('is put to the method as JSON, and answered with MessagePack', async () => {
    const { requests, calls, worker } = setUp();
    const answered = requests.call(worker, call(3, { timeoutMs: 250 }));
    const { payload, ...question } = calls[0]!.asked;
    expect(Buffer.from(payload).toString()).toBe('{"n":3}');
    const caller = { user: 'ann', connectionId: 'c1', nodeId: 'n1' };
    expect(question).toEqual({ method: 'echo', payloadKind: 'json', timeoutMs: 250, caller });
    calls[0]?.resolve(answerOf('{"ok":true}'));
    await answered;
    const [answer] = worker.of('result');
    expect([answer?.requestId, unpackMsgpack(answer?.data as Uint8Array)]).toEqual([3, { ok: true }]);
  });

  it.each<[BusErrorCode, string]>([
    ['no_responders', 'no_responders'],
    ['call_timeout', 'timeout'],
    ['bus_unreachable', 'unavailable'],
  ])('that fails with %s is answered with %s', async (code, told) => {
    const { requests, calls, worker } = setUp();
    const answered = requests.call(worker, call(1));
    calls[0]?.reject(new BusError(code, 'no answer'));
    await answered;
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 1, code: told }]);
  });

  it('is `busy` past callsInFlightMax, until one is answered or has failed', async () => {
    const { requests, calls, worker } = setUp({ 'tuning.commands.callsInFlightMax': 2, 'tuning.commands.callsPerConnectionMax': 1 });
    const running = [requests.call(worker, call(1)), requests.call(worker, call(2))];
    await requests.call(worker, call(3));
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 3, code: 'busy' }]);
    calls[0]?.resolve(answerOf('1'));
    calls[1]?.reject(new BusError('call_timeout', 'no answer'));
    await Promise.all(running);
    void requests.call(worker, call(4));
    void requests.call(worker, call(5));
    expect(calls).toHaveLength(4);
  });

  it('fails when the answer is larger than may be sent, or malformed', async () => {
    const { requests, calls, worker } = setUp({ 'tuning.commands.callAnswerBytesMax': 1024 });
    const [fits, large, malformed] = [1, 2, 3].map((id) => requests.call(worker, call(id)));
    calls[0]?.resolve(answerOf(`"${'x'.repeat(1022)}"`));
    calls[1]?.resolve(answerOf(`"${'x'.repeat(1023)}"`));
    calls[2]?.resolve(answerOf('{"n":'));
    await Promise.all([fits, large, malformed]);
    expect(worker.sent).toMatchObject([
      { kind: 'result', requestId: 1 },
      { kind: 'failed', requestId: 2, code: 'answer_too_large' },
      { kind: 'failed', requestId: 3, code: 'bad_answer' },
    ]);
  });

  it('is answered with the service’s own error, shortened, which is no failure of the call', async () => {
    const { requests, calls, worker } = setUp();
    const [long, empty] = [requests.call(worker, call(1)), requests.call(worker, call(2))];
    calls[0]?.resolve({ kind: 'serviceError', code: 'c'.repeat(100), text: 't'.repeat(2000) });
    calls[1]?.resolve({ kind: 'serviceError', code: '', text: '' });
    await Promise.all([long, empty]);
    expect(worker.sent).toMatchObject([
      { kind: 'serviceError', requestId: 1, code: 'c'.repeat(64), message: 't'.repeat(1024) },
      { kind: 'serviceError', requestId: 2, code: 'service_error' },
    ]);
  });

  it('is not put to the method when its data nests too deep', async () => {
    const { requests, calls, worker } = setUp();
    let data: unknown = 1;
    for (let depth = 0; depth < 200; depth++) data = [data];
    await requests.call(worker, call(1, { data: packMsgpack(data) }));
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 1, code: 'bad_payload' }]);
    expect(calls).toEqual([]);
  });

  it('is `busy` when the worker has much to take already: it must not be restarted for what it asked for', async () => {
    const { requests, calls, worker } = setUp();
    worker.queuedBytes = 1e9;
    const answered = requests.call(worker, call(1));
    calls[0]?.resolve(answerOf('1'));
    await answered;
    expect(worker.sent).toMatchObject([{ kind: 'failed', code: 'busy' }]);
  });
});

describe('a read that a worker asks for', () => {
  it('is answered with items: a page of the log, or its last', async () => {
    const { requests, log, worker } = setUp();
    for (let n = 1; n <= 5; n++) log.append(topic, n);
    const page = { kind: 'read', requestId: 1, topic, epoch: 'e1', after: 1, limit: 2, bytesMax: 1_000_000 } as const;
    await requests.read(worker, page);
    await requests.readLast(worker, { kind: 'readLast', requestId: 2, topic, count: 2, bytesMax: 1_000_000 });
    const offsets = worker.of('items').map(({ requestId, items }) => [requestId, items.map(({ offset }) => offset)]);
    expect(offsets).toEqual([
      [1, [2, 3]],
      [2, [4, 5]],
    ]);
  });

  it('of another life of the log is answered with no items and the current epoch', async () => {
    const { requests, log, worker } = setUp();
    log.append(topic, 1);
    await requests.read(worker, { kind: 'read', requestId: 1, topic, epoch: 'e0', after: 0, limit: 10, bytesMax: 1_000_000 });
    expect(worker.sent).toMatchObject([{ kind: 'items', epoch: 'e1', complete: false, items: [] }]);
    expect(log.asked.read).toBe(0);
  });

  it('fails when the log cannot be read, without what the bus says of its inside', async () => {
    const { requests, log, worker } = setUp();
    log.failure = new BusError('bus_unreachable', INSIDE);
    await requests.read(worker, { kind: 'read', requestId: 1, topic, epoch: 'e1', after: 0, limit: 10, bytesMax: 1_000_000 });
    await requests.readLast(worker, { kind: 'readLast', requestId: 2, topic, count: 2, bytesMax: 1_000_000 });
    expect(worker.sent).toMatchObject([
      { kind: 'failed', requestId: 1, code: 'unavailable' },
      { kind: 'failed', requestId: 2, code: 'unavailable' },
    ]);
    expect(JSON.stringify(worker.sent)).not.toContain(INSIDE);
  });

  it('fails with `internal` for a bug', async () => {
    const { requests, log, worker } = setUp();
    log.failure = new TypeError('undefined is not a function');
    await requests.readLast(worker, { kind: 'readLast', requestId: 1, topic, count: 2, bytesMax: 1_000_000 });
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 1, code: 'internal' }]);
  });
});

describe('a recovery that a worker asks for', () => {
  it('is answered with what came after the position', async () => {
    const { requests, registry, log, worker } = setUp();
    for (let n = 1; n <= 5; n++) log.append(topic, n);
    registry.addInterest(topic, new RecordingLink());
    await new Promise((resolve) => setImmediate(resolve));
    await requests.recover(worker, { kind: 'recover', requestId: 9, topic, after: 3 });
    const [answer] = worker.of('recovery');
    expect(answer).toMatchObject({ requestId: 9, epoch: 'e1', offset: 5 });
    expect(answer?.items.filter(({ offset }) => offset > 3).map(({ offset }) => offset)).toEqual([4, 5]);
    await registry.stop();
  });

  it('fails for a topic that is not open: it must be asked again', async () => {
    const { requests, worker } = setUp();
    await requests.recover(worker, { kind: 'recover', requestId: 9, topic, after: 3 });
    expect(worker.sent).toMatchObject([{ kind: 'failed', requestId: 9, code: 'unavailable' }]);
  });
});
