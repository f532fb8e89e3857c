import { type ErrorCode, ProtocolError } from './errors.ts';
import type { Topic } from './topic.ts';

/**
 * The rules of a publish. Every door goes through them: the WebSocket command, the HTTP API, a program that embeds a node, the command line, and the bus
 * itself. Who may publish is not decided here.
 */
export interface PublishRules {
  readonly keyed: boolean;
  /** Tokens that each topic of the namespace has; 0: any number. */
  readonly topicTokens: number;
  readonly maxPayloadBytes: number;
}

/** Why something cannot be published. */
export interface PublishProblem {
  readonly code: Extract<ErrorCode, 'unknown_namespace' | 'bad_topic' | 'key_required' | 'key_not_allowed' | 'message_too_big'>;
  readonly message: string;
}

/** Why nothing can be published to a topic, and so nothing can be had of it. */
export interface TopicProblem extends PublishProblem {
  readonly code: Extract<PublishProblem['code'], 'unknown_namespace' | 'bad_topic'>;
}

/** @param namespace undefined: none of the topic's name is configured */
export function topicProblem(topic: string, namespace: Pick<PublishRules, 'topicTokens'> | undefined): TopicProblem | undefined {
  if (namespace === undefined) return { code: 'unknown_namespace', message: `no namespace is configured for ${topic}` };
  const problem = depthProblem(topic, namespace);
  return problem === undefined ? undefined : { code: 'bad_topic', message: problem };
}

/** A keyed topic's publication without a key would be taken for one of its parent topic: `feed.ticks.nasdaq` is key `nasdaq` of `ticks`. */
export function keyProblem(topic: Topic, hasKey: boolean, { keyed }: Pick<PublishRules, 'keyed'>): PublishProblem | undefined {
  if (keyed === hasKey) return undefined;
  return keyed
    ? { code: 'key_required', message: `${topic} is keyed: a publication needs a key` }
    : { code: 'key_not_allowed', message: `${topic} is not keyed: a publication takes no key` };
}

/** @param payloadBytes of the payload as it is stored */
export function sizeProblem(payloadBytes: number, { maxPayloadBytes }: Pick<PublishRules, 'maxPayloadBytes'>): PublishProblem | undefined {
  if (payloadBytes <= maxPayloadBytes) return undefined;
  return { code: 'message_too_big', message: `the payload has ${payloadBytes} bytes, ${maxPayloadBytes} are allowed` };
}

/**
 * Nothing is ever published to a topic of a wrong depth, so whoever asks for one is told.
 * @throws ProtocolError `unknown_namespace`, `bad_topic`
 */
export function assertTopicFits<N extends Pick<PublishRules, 'topicTokens'>>(topic: Topic, namespace: N | undefined): N {
  refuse(topicProblem(topic, namespace));
  return namespace as N;
}

/** @throws ProtocolError `key_required`, `key_not_allowed` */
export function assertKeyFits(topic: Topic, hasKey: boolean, namespace: Pick<PublishRules, 'keyed'>): void {
  refuse(keyProblem(topic, hasKey, namespace));
}

/** @throws ProtocolError `message_too_big` */
export function assertSizeFits(payloadBytes: number, namespace: Pick<PublishRules, 'maxPayloadBytes'>): void {
  refuse(sizeProblem(payloadBytes, namespace));
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
