import fc, { type Arbitrary } from 'fast-check';
import type { ToHub, ToWorker } from '../../src/link/messages.ts';
import { type LinkItem, PublicationMessage } from '../../src/link/publication-message.ts';
import { keepBytes } from '../../src/protocol/kept-bytes.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { anyKey } from './keys.ts';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const data = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const text = fc.string({ unit: 'binary', maxLength: 100 });
/** As the hub keeps it, and as the link reads it. */
const itemData = fc.oneof(data, data.map(keepBytes));
/** As JSON has it, which knows no -0. */
const json = (maxDepth: number) => fc.jsonValue({ maxDepth }).map((value) => JSON.parse(JSON.stringify(value)));
const offset = fc.maxSafeNat();
/** Texts at their bounds, too: printable ASCII, which JSON escapes in part. */
export const someTags = fc.dictionary(fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,31}$/), fc.stringMatching(/^[!-~]([ -~]{0,62}[!-~])?$/), {
  maxKeys: 8,
  noNullPrototype: true,
});
const linkItem: Arbitrary<LinkItem> = fc
  .record(
    {
      offset,
      key: fc.option(anyKey),
      data: itemData,
      publishedAtMs: fc.double({ min: 0, max: 1e15, noNaN: true }),
      origin: fc.record(
        { user: fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }), connectionId: text, noEcho: fc.constant(true as const) },
        { requiredKeys: ['connectionId'], noNullPrototype: true },
      ),
      removed: fc.constant(true as const),
      volatile: fc.constant(true as const),
      patch: fc.constant(true as const),
      eventAtMs: offset,
      topic: token.map((text) => text as Topic),
      tags: someTags,
    },
    { requiredKeys: ['offset', 'key', 'data', 'publishedAtMs'], noNullPrototype: true },
  )
  .map(({ origin, ...rest }) => ({ ...rest, ...origin }));
const publication = fc
  .record({
    topicNumber: fc.nat(0xffff_ffff),
    prev: offset,
    item: linkItem,
    others: fc.array(fc.record({ topicNumber: fc.nat(0xffff_ffff), prev: offset }, { noNullPrototype: true }), { maxLength: 3 }),
  })
  .map(({ topicNumber, prev, item, others }) => new PublicationMessage(topicNumber, prev, item, others));

const topic = token;
const requestId = offset;
const state = { epoch: text, offset, items: fc.array(linkItem, { maxLength: 3 }) };
const record = (fields: Record<string, Arbitrary<unknown>>) => fc.record(fields, { noNullPrototype: true });
const of = (kind: string, fields: Record<string, Arbitrary<unknown>> = {}) => record({ kind: fc.constant(kind), ...fields });

/** What hub and worker say to each other: every kind. */
export const linkMessages = fc.oneof(
  { weight: 6, arbitrary: publication },
  of('welcome', {
    config: json(2),
    nodeId: text,
    workerIndex: fc.nat(256),
    port: fc.nat(65_535),
    pages: fc.array(record({ path: text, body: data })),
  }),
  of('listen'),
  of('opened', { topic, topicNumber: fc.nat(0xffff_ffff), ...state }),
  of('openFailed', { topic, code: fc.constant('busy'), message: text }),
  of('resync', { topic, topicNumber: fc.nat(0xffff_ffff), reason: text, ...state }),
  of('published', { requestId, epoch: text, offset, duplicate: fc.boolean() }),
  of('items', { requestId, ...state, complete: fc.boolean(), more: fc.boolean() }),
  of('place', { requestId, epoch: text, offset }),
  of('result', { requestId, data }),
  of('failed', { requestId, code: fc.constant('timeout'), message: text }),
  of('busStatus', { connected: fc.boolean() }),
  of('topicStatus', { topic, awayReason: fc.option(text) }),
  of('metricsWanted', { requestId }),
  of('drain'),
  of('prepared'),
  of('listening', { port: fc.nat(65_535), uws: text, connectionsMax: fc.nat() }),
  of('open', { topic }),
  of('close', { topic }),
  of('publish', {
    requestId,
    topic,
    key: fc.option(anyKey),
    data,
    idempotencyKey: fc.option(text, { nil: undefined }),
    user: text,
    connectionId: text,
  }),
  of('read', { requestId, topic, epoch: text, after: offset, limit: fc.nat(10_000) }),
  of('readLast', { requestId, topic, count: fc.nat(10_000) }),
  of('readBetween', { requestId, topic, fromMs: offset, limit: fc.nat(10_000) }),
  of('placeOf', { requestId, topic, atMs: offset }),
  of('call', { requestId, method: topic, data, timeoutMs: fc.nat(60_000), user: text }),
  of('metrics', { requestId, metrics: json(3) }),
  of('withdraw', { connectionId: text, code: fc.constant('token_revoked'), message: text }),
  of('drained'),
) as Arbitrary<ToWorker | ToHub>;
