import type { NamespaceOptions } from '../config/schema.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';
import { isPattern, keyOf, topicOf } from '../protocol/feed-name.ts';
import { hasDocuments, type StateOptions } from '../protocol/feed-state.ts';
import { patternProblem, topicProblem } from '../protocol/publish-rules.ts';
import { matchesPattern, namespaceOf } from '../protocol/topic.ts';
import { USER_NAMESPACE, userTopicOf } from '../protocol/user-topic.ts';
import type { Identity } from './identity.ts';

/** What a client may do with a topic, or with one key of it. For a `call`, the topic is the name of the method. */
export type Action = 'subscribe' | 'publish' | 'image' | 'history' | 'presence' | 'call';

/** The options of a namespace that access depends on. */
export type AccessOptions = Pick<
  NamespaceOptions,
  'public' | 'clientPublish' | 'durable' | 'state' | 'topicTokens' | 'wildcards' | 'presence'
> &
  StateOptions & {
    readonly history: Pick<NamespaceOptions['history'], 'clientItemsMax'>;
  };

export interface Denial {
  readonly allowed: false;
  readonly code: Extract<ErrorCode, 'unknown_namespace' | 'bad_topic' | 'key_not_allowed' | 'unauthorized' | 'forbidden' | 'unsupported'>;
  readonly reason: string;
}

export type Decision = { readonly allowed: true } | Denial;

const ALLOWED: Decision = { allowed: true };

type TopicRule = (identity: Identity, namespace: AccessOptions, name: string) => Decision;

/** The rules for each action on a topic of a configured namespace. A new action is another entry. */
const TOPIC_RULES: Readonly<Record<Exclude<Action, 'call'>, TopicRule>> = {
  subscribe(identity, namespace, name) {
    if (namespace.public || maySubscribe(identity, name)) return readable(namespace, name);
    if (identity.user === null) return deny('unauthorized', `${name} needs a token`);
    return deny('forbidden', `the token does not permit subscribing to ${name}`);
  },

  publish(identity, namespace, topic) {
    if (!namespace.clientPublish) return deny('forbidden', `clients may not publish to ${topic}`);
    if (identity.user === null) return deny('unauthorized', 'publishing needs a token');
    return permitsTopic(identity.publish, topic) ? ALLOWED : deny('forbidden', `the token does not permit publishing to ${topic}`);
  },

  /** Publishing whole documents needs both permissions. */
  image(identity, namespace, topic) {
    const decision = TOPIC_RULES.publish(identity, namespace, topic);
    if (!decision.allowed) return decision;
    if (!hasDocuments(namespace)) return deny('unsupported', `${topic} has no document`);
    if (permitsTopic(identity.image ?? [], topic)) return ALLOWED;
    return deny('forbidden', `the token does not permit publishing whole documents to ${topic}`);
  },

  /** The same rule as for `subscribe`; the namespace must have presence. */
  presence(identity, namespace, topic) {
    if (keyOf(topic) !== undefined || isPattern(topic)) return deny('unsupported', `presence is of whole topics, not of ${topic}`);
    if (!namespace.public && !maySubscribe(identity, topic)) {
      return deny(withoutPermission(identity), `the token does not permit seeing who is subscribed to ${topic}`);
    }
    return namespace.presence === 'off' ? deny('unsupported', `${topic} has no presence`) : ALLOWED;
  },

  /** The same rule as for `subscribe`; clients must be allowed to read the history of the namespace. */
  history(identity, namespace, topic) {
    if (!namespace.public && !maySubscribe(identity, topic)) {
      return deny(withoutPermission(identity), `the token does not permit reading ${topic}`);
    }
    if (!namespace.durable) return deny('unsupported', `${topic} has no history`);
    if (namespace.history.clientItemsMax === 0) return deny('unsupported', `clients may not read the history of ${topic}`);
    return readable(namespace, topic);
  },
};

/**
 * Decides whether this identity may do this. All access of clients is decided here. Limits, and whether a publication needs a key, are decided elsewhere.
 *
 * @param namespace of the topic; undefined: not configured. Methods (`call`) have none.
 * @param topic well-formed: a topic, the name of one key of it (`topic#key`), or for reading a pattern
 */
export function decide(identity: Identity, action: Action, namespace: AccessOptions | undefined, topic: string): Decision {
  if (action === 'call') {
    return permits(identity.call, topic) ? ALLOWED : deny(withoutPermission(identity), `the token does not permit calling ${topic}`);
  }
  const problem = isPattern(topic) ? patternProblem(topic, namespace) : topicProblem(topicOf(topic), namespace);
  if (problem !== undefined) return deny(problem.code, problem.message);
  return TOPIC_RULES[action](identity, namespace as AccessOptions, topic);
}

/**
 * The same, with a ProtocolError instead of a refusal.
 *
 * @returns the namespace
 * @throws ProtocolError with the code of the {@link Denial}
 */
export function assertMay<N extends AccessOptions | undefined>(
  identity: Identity,
  action: Action,
  namespace: N,
  topic: string,
): NonNullable<N> {
  assertAllowed(decide(identity, action, namespace, topic));
  return namespace as NonNullable<N>;
}

/** @throws ProtocolError */
export function assertAllowed(decision: Decision): void {
  if (!decision.allowed) throw new ProtocolError(decision.code, decision.reason);
}

/** A token that replaces another must belong to the same user. An anonymous client may get a user. */
export function decideRefresh(current: Identity, next: Identity): Decision {
  return current.user === null || current.user === next.user ? ALLOWED : deny('forbidden', 'a refreshed token must be of the same user');
}

/** Clients without a token may stay connected if there is a public namespace. */
export function mayBeAnonymous(namespaces: Readonly<Record<string, Pick<NamespaceOptions, 'public'>>>): boolean {
  return Object.values(namespaces).some((namespace) => namespace.public);
}

/** A user's own topic needs no permission, nor does one key of it. */
function maySubscribe({ user, subscribe }: Identity, name: string): boolean {
  return (user !== null && isOfUsers(name) && topicOf(name) === userTopicOf(user)) || permitsTopic(subscribe, name);
}

/**
 * Topics of users need a pattern that names their namespace. `>` is for feeds: with it, nobody reads what other users are sent, or writes to them.
 */
function permitsTopic(patterns: readonly string[], name: string): boolean {
  return permits(isOfUsers(name) ? patterns.filter(isOfUsers) : patterns, name);
}

function isOfUsers(nameOrPattern: string): boolean {
  return namespaceOf(nameOrPattern) === USER_NAMESPACE;
}

/**
 * Whether one of the patterns matches all that the name means. A pattern may name one key: `ticks.nasdaq#AAPL`. One without a key means the whole topic, and so
 * each of its keys.
 */
export function permits(patterns: readonly string[], name: string): boolean {
  const topic = topicOf(name);
  const key = keyOf(name);
  return patterns.some((pattern) => {
    const onlyKey = keyOf(pattern);
    return (onlyKey === undefined || onlyKey === key) && matchesPattern(topicOf(pattern), topic);
  });
}

/** Only topics with keys can be read by key, and only some namespaces by pattern. */
function readable(namespace: Pick<AccessOptions, 'state' | 'wildcards'>, name: string): Decision {
  if (isPattern(name)) return namespace.wildcards ? ALLOWED : deny('unsupported', `${name}: the namespace has no patterns`);
  if (keyOf(name) === undefined || namespace.state === 'keyed') return ALLOWED;
  return deny('key_not_allowed', `${topicOf(name)} is not keyed`);
}

function withoutPermission({ user }: Identity): 'unauthorized' | 'forbidden' {
  return user === null ? 'unauthorized' : 'forbidden';
}

function deny(code: Denial['code'], reason: string): Denial {
  return { allowed: false, code, reason };
}
