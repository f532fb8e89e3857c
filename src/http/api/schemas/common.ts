import Type from 'typebox';
import { KEY_BYTES_MAX, TOKEN_BYTES_MAX, TOPIC_BYTES_MAX, TOPIC_TOKENS_MAX } from '../../../protocol/topic.ts';

/** What several requests and answers of the HTTP API have in common. A schema with a `title` is a component of the OpenAPI document. */

/** For bodies: a misspelt name is refused, and does nothing silently. */
export const closed = { additionalProperties: false } as const;

const TOKEN = `[A-Za-z0-9_-]{1,${TOKEN_BYTES_MAX}}`;
export const TopicName = Type.String({
  maxLength: TOPIC_BYTES_MAX,
  pattern: `^${TOKEN}(\\.${TOKEN}){0,${TOPIC_TOKENS_MAX - 1}}$`,
  description: `1 to ${TOPIC_TOKENS_MAX} tokens joined by dots; the first one is the namespace`,
});
export const KeyName = Type.String({
  minLength: 1,
  maxLength: KEY_BYTES_MAX,
  description: `required in keyed topics, and allowed only there: text of at most ${KEY_BYTES_MAX} bytes of UTF-8, without control characters`,
});
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const count = (description: string) => ({ ...Count, description }) as typeof Count;
/** Of a total over several nodes. */
export const LEAST = 'With several nodes it is the least that there can be: what several nodes have counts once';
/** Fields of what is answered for all nodes. */
export const fromNodes = {
  nodes: count('nodes that have answered, with this one'),
  nodesSilent: Type.Array(Type.String(), {
    description: 'names of the known nodes that did not answer in time: what they have is missing',
  }),
};
export const workersSilent = count('workers that did not answer within 3 s. Their connections are missing');
export const Epoch = Type.String({ description: "the life of the namespace's log; empty in ephemeral namespaces" });
export const JsonValue = (description: string) => Type.Unknown({ description });

/** Default of `limit`. */
export const LIMIT_DEFAULT = 50;
export const limit = (what: string, maximum = 10_000) =>
  Type.Integer({
    minimum: 1,
    maximum,
    default: LIMIT_DEFAULT,
    description: `maximum ${what} in the answer; \`tuning.admin.pageItemsMax\` bounds it too`,
  });
/** Further keywords of an object that must have exactly one of these names. */
export const oneOf = (...names: readonly string[]) => ({ oneOf: names.map((name) => ({ required: [name] })) });
export const prefix = (what: string) => Type.String({ maxLength: 256, description: `only ${what} that begin with it` });
