import { type ErrorCode, ProtocolError } from './errors.ts';
import type { Topic } from './topic.ts';

/**
 * The rules of a publish. All publishes follow them: the WebSocket command, the HTTP API, a program that embeds a node, the command line, and the bus itself.
 * Who may publish is decided elsewhere.
 */
export interface PublishRules {
  readonly state: 'last' | 'keyed' | 'document';
  /** Number of tokens in each topic of the namespace; 0: any number. */
  readonly topicTokens: number;
  readonly maxPayloadBytes: number;
}

/** How a publication is sent, besides its topic, key and data. */
export interface PublishChoices {
  /** False: to all subscribers but the connection that publishes. */
  readonly echo?: boolean | undefined;
  /** It is not kept, and subscribers whose sockets do not keep up now do not get it. */
  readonly volatile?: boolean | undefined;
}

/** Maximum length of an idempotency key, in UTF-16 units: the same as in the schemas of the messages and of the HTTP API. */
export const IDEMPOTENCY_KEY_LENGTH_MAX = 128;

/** Why something cannot be published. */
export interface PublishProblem {
  readonly code: Extract<ErrorCode, 'unknown_namespace' | 'bad_topic' | 'key_required' | 'key_not_allowed' | 'message_too_big'>;
  readonly message: string;
}

/** Why nothing can be published to a topic, and so nothing can be received from it. */
export interface TopicProblem extends PublishProblem {
  readonly code: Extract<PublishProblem['code'], 'unknown_namespace' | 'bad_topic'>;
}

/** @param namespace undefined: the topic's namespace is not configured */
export function topicProblem(topic: string, namespace: Pick<PublishRules, 'topicTokens'> | undefined): TopicProblem | undefined {
  if (namespace === undefined) return { code: 'unknown_namespace', message: `no namespace is configured for ${topic}` };
  const problem = depthProblem(topic, namespace);
  return problem === undefined ? undefined : { code: 'bad_topic', message: problem };
}

/** The same for a pattern: why it matches no topic. */
export function patternProblem(pattern: string, namespace: Pick<PublishRules, 'topicTokens'> | undefined): TopicProblem | undefined {
  const isOpenEnded = pattern.endsWith('.>');
  if (namespace === undefined || !isOpenEnded) return topicProblem(pattern, namespace);
  const { topicTokens } = namespace;
  if (topicTokens === 0 || pattern.split('.').length <= topicTokens) return undefined;
  return { code: 'bad_topic', message: `${pattern} matches no topic; topics of this namespace have ${topicTokens} tokens` };
}

/** Without a key, a publication of a keyed topic would look like one of its parent topic: `feed.ticks.nasdaq` is key `nasdaq` of `ticks`. */
export function keyProblem(topic: Topic, hasKey: boolean, { state }: Pick<PublishRules, 'state'>): PublishProblem | undefined {
  const keyed = state === 'keyed';
  if (keyed === hasKey) return undefined;
  return keyed
    ? { code: 'key_required', message: `${topic} is keyed: a publication must have a key` }
    : { code: 'key_not_allowed', message: `${topic} is not keyed: a publication must not have a key` };
}

/** @param payloadBytes of the payload as it is stored */
export function sizeProblem(payloadBytes: number, { maxPayloadBytes }: Pick<PublishRules, 'maxPayloadBytes'>): PublishProblem | undefined {
  if (payloadBytes <= maxPayloadBytes) return undefined;
  return { code: 'message_too_big', message: `the payload has ${payloadBytes} bytes; at most ${maxPayloadBytes} are allowed` };
}

/**
 * Nothing is ever published to a topic with a wrong number of tokens, so requests for one are refused.
 * @throws ProtocolError `unknown_namespace`, `bad_topic`
 */
export function assertTopicFits<N extends Pick<PublishRules, 'topicTokens'>>(topic: string, namespace: N | undefined): N {
  refuse(topicProblem(topic, namespace));
  return namespace as N;
}

/** @throws ProtocolError `key_required`, `key_not_allowed` */
export function assertKeyFits(topic: Topic, hasKey: boolean, namespace: Pick<PublishRules, 'state'>): void {
  refuse(keyProblem(topic, hasKey, namespace));
}

/** @throws ProtocolError `message_too_big` */
export function assertSizeFits(payloadBytes: number, namespace: Pick<PublishRules, 'maxPayloadBytes'>): void {
  refuse(sizeProblem(payloadBytes, namespace));
}

/** A log keeps everything: what may be lost must not get into it. @throws ProtocolError `unsupported` */
export function assertVolatileFits(topic: Topic, volatile: boolean | undefined, { durable }: { readonly durable: boolean }): void {
  if (volatile === true && durable) throw new ProtocolError('unsupported', `${topic} is durable: nothing in it can be volatile`);
}

/** For callers whose publications no schema checks. @throws ProtocolError `bad_message` */
export function assertIdempotencyKeyFits(idempotencyKey: unknown): void {
  if (idempotencyKey === undefined) return;
  if (typeof idempotencyKey === 'string' && idempotencyKey !== '' && idempotencyKey.length <= IDEMPOTENCY_KEY_LENGTH_MAX) return;
  throw new ProtocolError('bad_message', `idempotencyKey: expected text of 1–${IDEMPOTENCY_KEY_LENGTH_MAX} characters`);
}

function refuse(problem: PublishProblem | undefined): void {
  if (problem !== undefined) throw new ProtocolError(problem.code, problem.message);
}

function depthProblem(topic: string, { topicTokens }: Pick<PublishRules, 'topicTokens'>): string | undefined {
  if (topicTokens === 0) return undefined;
  const tokens = topic.split('.').length;
  if (tokens === topicTokens) return undefined;
  return `${topic} has ${tokens} ${tokens === 1 ? 'token' : 'tokens'}; topics of this namespace have ${topicTokens}`;
}
