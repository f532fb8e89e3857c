import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { ProtocolError } from '../../../protocol/errors.ts';
import type { HttpCode } from '../../../protocol/http-status.ts';
import { packMsgpack } from '../../../protocol/msgpack-codec.ts';
import { parseKey, parseTopic, type Topic } from '../../../protocol/topic.ts';
import { encodeUser, USER_NAMESPACE } from '../../../protocol/user-topic.ts';
import { misfit, route } from '../route.ts';
import { PublishAnswer, PublishBody, PublishManyAnswer, PublishManyBody, PublishManyFrame } from '../schemas/publish.ts';
import type { Refusal } from '../schemas/refusal.ts';
import type { ApiContext } from '../sources.ts';

/** Bytes of a publish request besides its data: field names, topic, keys, and some escapes. */
const ENVELOPE_BYTES_MAX = 4096;

const PUBLISH_ERRORS: readonly HttpCode[] = [
  'bad_topic',
  'bad_key',
  'bad_payload',
  'key_required',
  'key_not_allowed',
  'unknown_namespace',
  'unsupported',
  'message_too_big',
  'document_too_large',
  'unavailable',
  'outcome_unknown',
];

export const publish = route({
  method: 'POST',
  path: '/api/publish',
  operationId: 'publish',
  summary: 'Publish one publication',
  description: 'By the same rules as clients, but to every namespace. The answer comes when the log has stored it.',
  scope: 'publish',
  body: PublishBody,
  answer: PublishAnswer,
  errors: PUBLISH_ERRORS,
  bodyBytesMax: ({ sources: { config } }) =>
    ENVELOPE_BYTES_MAX + Math.max(0, ...Object.values(config.namespaces).map(({ maxPayloadBytes }) => maxPayloadBytes)),
  handle: async ({ body }, context) => {
    const { topic, ...answer } = await publishOne(body, context);
    context.logger.info({ topic, key: body.key, offset: answer.offset }, 'published through the HTTP API');
    return answer;
  },
});

export const publishMany = route({
  method: 'POST',
  path: '/api/publish-many',
  operationId: 'publishMany',
  summary: 'Publish several publications in one request',
  description:
    'They are published in the order of the list, without waiting for one another, and each has its own outcome: one that fails does not stop the others. A request without an answer can be repeated if every publication has an `idempotencyKey`.',
  scope: 'publish',
  body: PublishManyBody,
  checkedBody: PublishManyFrame,
  answer: PublishManyAnswer,
  bodyBytesMax: ({ sources: { config } }) => config.tuning.admin.bodyBytesMax,
  handle: async ({ body: { publications } }, context) => {
    const { publicationsPerRequestMax } = context.sources.config.tuning.admin;
    if (publications.length > publicationsPerRequestMax)
      throw new ProtocolError('bad_message', `publications: ${publications.length}; at most ${publicationsPerRequestMax} are allowed`);
    const outcomes = await Promise.all(publications.map((publication) => outcomeOf(publication, context)));
    const refused = outcomes.filter((outcome) => 'error' in outcome).length;
    context.logger.info({ publications: publications.length, refused }, 'published through the HTTP API');
    return { outcomes };
  },
});

const publicationCheck = Compile(PublishBody);

async function outcomeOf(publication: unknown, context: ApiContext): Promise<PublishAnswer | Refusal> {
  try {
    if (!publicationCheck.Check(publication)) throw misfit(publicationCheck.Errors(publication), 'the publication');
    const { topic, ...answer } = await publishOne(publication as Static<typeof PublishBody>, context);
    return answer;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

/** Everything up to the bus is done at once, so that publications keep their order. @throws ProtocolError */
async function publishOne(
  { topic: name, user, key, data, image, idempotencyKey, exceptConnection, volatile, eventAtMs, tags }: Static<typeof PublishBody>,
  { sources }: ApiContext,
): Promise<PublishAnswer & { readonly topic: Topic }> {
  const topic = parseTopic(name ?? `${USER_NAMESPACE}.${encodeUser(user as string)}`);
  const draft = {
    topic,
    key: key === undefined ? null : parseKey(key),
    data: packMsgpack(data),
    ...(image && { image }),
    exceptConnection,
    ...(volatile && { volatile: true as const }),
    eventAtMs,
    tags,
  };
  const { epoch, offset, duplicate } = await sources.operator.publish(draft, idempotencyKey);
  return { topic, epoch, offset, duplicate };
}
