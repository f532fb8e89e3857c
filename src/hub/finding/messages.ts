import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import { unpackChecked } from '../../protocol/unpack-checked.ts';
import { TOPICS_MAX } from '../report-types.ts';
import { SERIES_FIELDS, type SeriesField } from '../series/fields.ts';

/** What a node asks all nodes (on `control.find`), and what each answers to the one that asked (on `control.found.<instance>`). As MessagePack. */

/** A larger question is ignored. */
const QUESTION_BYTES_MAX = 4096;
/** The largest `tuning.hub.findAnswerBytesMax`. A larger answer is ignored. */
const ANSWER_BYTES_MAX = 1_048_576;
const ITEMS_MAX = 10_000;
/** The largest `tuning.admin.seriesPointsMax`. */
const POINTS_MAX = 600;

const text = (maxLength: number) => Type.String({ maxLength });
const count = Type.Integer({ minimum: 0 });
const id = text(128);
const page = { prefix: Type.Optional(text(256)), after: Type.Optional(text(256)), limit: Type.Integer({ minimum: 0, maximum: ITEMS_MAX }) };

const Question = Type.Union([
  Type.Object({ kind: Type.Literal('users'), ...page }),
  Type.Object({
    kind: Type.Literal('topics'),
    sort: Type.Union([Type.Literal('members'), Type.Literal('rate'), Type.Literal('name')]),
    ...page,
    limit: Type.Integer({ minimum: 0, maximum: TOPICS_MAX }),
  }),
  Type.Object({ kind: Type.Literal('series') }),
  Type.Object({
    kind: Type.Literal('connections'),
    target: Type.Union([Type.Object({ user: text(256) }), Type.Object({ connectionId: id }), Type.Object({ tokenId: text(256) })]),
    limit: page.limit,
  }),
]);
const Sent = Type.Object({ questionId: text(64), from: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), question: Question });

const column = Type.Array(Type.Union([Type.Number(), Type.Null()]), { maxItems: POINTS_MAX });
const columns = Type.Object({
  atMs: Type.Array(Type.Number(), { maxItems: POINTS_MAX }),
  ...(Object.fromEntries(SERIES_FIELDS.map((field) => [field, column])) as Record<SeriesField, typeof column>),
});
const paged = { total: count, next: Type.Optional(text(256)) };
const Found = Type.Union([
  Type.Object({
    kind: Type.Literal('users'),
    ...paged,
    users: Type.Array(Type.Object({ user: text(256), connections: count }), { maxItems: ITEMS_MAX }),
  }),
  Type.Object({
    kind: Type.Literal('topics'),
    ...paged,
    workersSilent: count,
    topics: Type.Array(
      Type.Object({ topic: text(256), members: count, lagging: count, publicationsPerSecond: Type.Number({ minimum: 0 }) }),
      { maxItems: TOPICS_MAX },
    ),
  }),
  Type.Object({ kind: Type.Literal('series'), columns }),
  Type.Object({
    kind: Type.Literal('connections'),
    total: count,
    workersSilent: count,
    connections: Type.Array(
      Type.Object({
        connectionId: id,
        user: Type.Union([text(256), Type.Null()]),
        encoding: Type.Union([Type.Literal('json'), Type.Literal('msgpack')]),
        connectedForMs: count,
        subscriptions: count,
        topics: Type.Array(text(256), { maxItems: 1000 }),
        lagging: Type.Boolean(),
        bufferedBytes: count,
      }),
      { maxItems: ITEMS_MAX },
    ),
  }),
]);
const Answer = Type.Object({ questionId: text(64), from: text(64), nodeId: text(300), found: Found });

export type Question = Static<typeof Question>;
export type SentQuestion = Static<typeof Sent>;
export type Found = Static<typeof Found>;
export type FoundOf<K extends Found['kind']> = Extract<Found, { kind: K }>;
export type Answer = Static<typeof Answer>;

const sentCheck = Compile(Sent);
const answerCheck = Compile(Answer);

export function encodeQuestion(question: SentQuestion): Uint8Array {
  return packMsgpack(question);
}

/** @returns undefined if it is not a question of this version */
export function decodeQuestion(data: Uint8Array): SentQuestion | undefined {
  return unpackChecked<SentQuestion>(data, sentCheck, QUESTION_BYTES_MAX);
}

/** The answer in at most `bytesMax` bytes: what does not fit is left out, from the end of the list, down to one item. `total` and `next` say that there is more. */
export function encodeAnswer(answer: Answer, bytesMax: number): Uint8Array {
  const bytes = packMsgpack(answer);
  const items = lengthOf(answer.found);
  if (bytes.length <= bytesMax || items <= 1) return bytes;
  // The next size that is tried is smaller in any case, so this ends.
  const kept = Math.max(1, Math.floor(items * Math.min(0.9, bytesMax / bytes.length)));
  return encodeAnswer({ ...answer, found: firstOf(answer.found, kept) }, bytesMax);
}

/** @returns undefined if it is not an answer of this version */
export function decodeAnswer(data: Uint8Array): Answer | undefined {
  return unpackChecked<Answer>(data, answerCheck, ANSWER_BYTES_MAX);
}

function lengthOf(found: Found): number {
  if (found.kind === 'users') return found.users.length;
  // With all of its points it is smaller than the smallest bound of an answer.
  if (found.kind === 'series') return 0;
  return found.kind === 'topics' ? found.topics.length : found.connections.length;
}

function firstOf(found: Found, kept: number): Found {
  switch (found.kind) {
    case 'series':
      return found;
    case 'connections':
      return { ...found, connections: found.connections.slice(0, kept) };
    case 'users': {
      const users = found.users.slice(0, kept);
      return { ...found, users, next: users.at(-1)?.user ?? '' };
    }
    case 'topics': {
      const topics = found.topics.slice(0, kept);
      return { ...found, topics, next: topics.at(-1)?.topic ?? '' };
    }
  }
}
