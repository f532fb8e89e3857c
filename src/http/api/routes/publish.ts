import { packMsgpack } from '../../../protocol/msgpack-codec.ts';
import { parseKey, parseTopic } from '../../../protocol/topic.ts';
import type { ApiCode } from '../errors.ts';
import { route } from '../route.ts';
import { PublishAnswer, PublishBody } from '../schemas/publish.ts';
import type { ApiContext } from '../sources.ts';

/** Bytes of a publish request besides its data: field names, topic, keys, and some escapes. */
const ENVELOPE_BYTES_MAX = 4096;

const PUBLISH_ERRORS: readonly ApiCode[] = [
  'bad_topic',
  'bad_key',
  'bad_payload',
  'key_required',
  'key_not_allowed',
  'unknown_namespace',
  'message_too_big',
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
    const answer = await publishOne(body, context);
    context.logger.info({ topic: body.topic, key: body.key, offset: answer.offset }, 'published through the admin API');
    return answer;
  },
});

/** @throws ProtocolError */
async function publishOne(
  {
    topic,
    key,
    data,
    idempotencyKey,
  }: { readonly topic: string; readonly key?: string; readonly data?: unknown; readonly idempotencyKey?: string },
  { sources }: ApiContext,
): Promise<PublishAnswer> {
  const draft = { topic: parseTopic(topic), key: key === undefined ? null : parseKey(key), data: packMsgpack(data) };
  const { epoch, offset, duplicate } = await sources.publish(draft, idempotencyKey);
  return { epoch, offset, duplicate };
}
