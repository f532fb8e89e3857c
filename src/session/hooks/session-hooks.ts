import type { Config } from '../../config/schema.ts';
import type { HubClient } from '../../delivery/hub-client.ts';
import { AnswerCache } from '../../hooks/answer-cache.ts';
import { assertAllowed } from '../../hooks/denied.ts';
import { Hook } from '../../hooks/hook.ts';
import { InOrder } from '../../hooks/in-order.ts';
import { ALLOWED, type Allowed, both, type Outcome } from '../../hooks/outcome.ts';
import type {
  AskedOptions,
  ConnectQuestion,
  DisconnectQuestion,
  HookCaller,
  HookName,
  HookQuestion,
  PublishQuestion,
  SubscribeQuestion,
} from '../../hooks/types.ts';
import { WaitingPublishes } from '../../hooks/waiting-publishes.ts';
import { ERROR_KINDS, type ErrorCode, ProtocolError } from '../../protocol/errors.ts';
import { addressOf, type FeedName, isPattern } from '../../protocol/feed-name.ts';
import { packMsgpack, unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import { namespaceOf } from '../../protocol/topic.ts';
import { toWireValue } from '../../protocol/wire-value.ts';
import type { HookMetrics } from '../../telemetry/hook-metrics.ts';
import type { Connection } from '../connection.ts';
import type { Identity } from '../identity.ts';
import { Approvals } from './approvals.ts';
import { ConnectionApprovals } from './connection-approvals.ts';
import type { HookModules } from './modules.ts';

type Draft = Parameters<HubClient['publish']>[0];
/** A connection, or a request without one. */
type Asker = Pick<Connection, 'id' | 'identity'>;
type Step = (question: HookQuestion) => Promise<Outcome>;

export interface SessionHooksOptions {
  readonly config: Config;
  readonly nodeId: string;
  readonly hub: Pick<HubClient, 'askHook' | 'tellHook'>;
  readonly modules: HookModules;
  readonly metrics: () => Pick<HookMetrics, 'of'>;
  /** Ends a subscription. @returns false: there is none */
  readonly end: (connection: Connection, topic: FeedName) => boolean;
  /** Tells the client why, and closes its connection. */
  readonly endConnection: (connection: Connection, error: Error) => void;
}

/** When a connection has too many commands that wait for hooks, the client retries after this time. */
const BUSY_RETRY_MS = 1000;

/**
 * The chains of hooks for commands. A chain is the hook in code, and then the hook on NATS, which the hub asks. Hooks are asked only about what the rules of
 * `access.ts` permit.
 */
export class SessionHooks {
  readonly #options: SessionHooksOptions;
  readonly #cache: AnswerCache;
  readonly #metrics: Pick<HookMetrics, 'of'>;
  readonly #connect: readonly Step[];
  readonly #disconnect: readonly Step[];
  readonly #subscribe = new Map<string, readonly Step[]>();
  /** Only the publish hooks in code. The hub asks those on NATS when it receives the publish. */
  readonly #publish = new Map<string, Hook>();
  readonly #order = new InOrder();
  /** For the hooks in code. */
  readonly #waiting = new WaitingPublishes();
  readonly #approvals: Approvals;
  readonly #connections: ConnectionApprovals;

  /** @returns undefined: there are no hooks */
  static create(options: SessionHooksOptions): SessionHooks | undefined {
    const { hooks, namespaces } = options.config;
    const settings = [hooks, ...Object.values(namespaces).map((namespace) => namespace.hooks)];
    const some = settings.some((all) => all.module !== '' || Object.values(all).some(isSubject));
    return some ? new SessionHooks(options, options.metrics()) : undefined;
  }

  private constructor(options: SessionHooksOptions, metrics: Pick<HookMetrics, 'of'>) {
    const { config, modules, hub, end, endConnection } = options;
    this.#options = options;
    this.#metrics = metrics;
    this.#cache = new AnswerCache(config.tuning.hooks);
    const { connect, disconnect } = modules.connections;
    const { hooks } = config;
    const ask: Step = (question) => hub.askHook({ question: question as ConnectQuestion | SubscribeQuestion });
    const tell: Step = async (question) => {
      hub.tellHook(question as DisconnectQuestion);
      return ALLOWED;
    };
    const how = { file: hooks.module, timeoutMs: hooks.timeoutMs };
    this.#connect = chain(
      this.#hook('connect', '', connect, { ...how, hookFailed: hooks.hookFailed.connect }),
      hooks.connect !== '' && ask,
    );
    this.#disconnect = chain(this.#hook('disconnect', '', disconnect, { ...how, hookFailed: 'deny' }), hooks.disconnect !== '' && tell);
    for (const [namespace, options] of Object.entries(config.namespaces)) this.#add(namespace, options.hooks, ask);
    this.#approvals = new Approvals({
      ask: ({ connection, topic, options }) => this.#ask(connection, topic, { action: 'subscribe', options, again: true }),
      end,
    });
    this.#connections = new ConnectionApprovals({
      ask: (connection) => askInTurn(this.#connect, this.#connectQuestion(connection, connection.identity, true)),
      end: endConnection,
    });
  }

  get asksAboutConnections(): boolean {
    return this.#connect.length > 0;
  }

  asksAboutSubscriptions(topic: FeedName): boolean {
    return this.#subscribe.has(namespaceOf(topic));
  }

  /** Asks whether this identity may connect. @throws HookDenied; ProtocolError `hook_failed`, `busy` */
  async assertMayConnect(client: Asker, identity: Identity): Promise<Allowed> {
    return assertAllowed(await askInTurn(this.#connect, this.#connectQuestion(client, identity, false)));
  }

  /** The connection has been accepted, as the hook allowed it: until the answer expires. */
  connected(connection: Connection, { expiresAtMs }: Allowed): void {
    this.#connections.set(connection, expiresAtMs);
  }

  /** Asks whether the connection may subscribe to the topic or read it, and with which options. @throws HookDenied; ProtocolError `hook_failed`, `busy` */
  async assertMaySee(
    connection: Asker & Pick<Connection, 'hooksAsked'>,
    topic: FeedName,
    action: SubscribeQuestion['action'],
    options: AskedOptions = {},
  ): Promise<Allowed> {
    const { askedPerConnectionMax } = this.#options.config.tuning.hooks;
    if (connection.hooksAsked >= askedPerConnectionMax) {
      const text = `${askedPerConnectionMax} commands of this connection wait for a hook`;
      throw new ProtocolError('busy', text, { retryAfterMs: BUSY_RETRY_MS });
    }
    connection.hooksAsked++;
    try {
      for (;;) {
        const { user } = connection.identity;
        const outcome = await this.#ask(connection, topic, { action, options, again: false });
        // A refresh may have given an anonymous connection a user meanwhile. The user changes only once, so the loop ends.
        if (connection.identity.user === user) return assertAllowed(outcome);
      }
    } finally {
      connection.hooksAsked--;
    }
  }

  /** Asks whether the connection may read the topic's history or presence. A subscribed one may without a question. @throws as {@link assertMaySee} */
  async assertMayRead(connection: Connection, topic: FeedName, action: 'history' | 'presence', options?: AskedOptions): Promise<void> {
    const subscription = connection.receiver.subscriptions.get(topic);
    const isSubscribed = subscription !== undefined && subscription.kind !== 'pending';
    if (!isSubscribed && this.asksAboutSubscriptions(topic)) await this.assertMaySee(connection, topic, action, options);
  }

  /** The hook has allowed the subscription, until the answer expires. */
  approved(connection: Connection, topic: FeedName, options: AskedOptions, { expiresAtMs }: Allowed): void {
    this.#approvals.set(connection, topic, options, expiresAtMs);
  }

  /**
   * Publishes what the hook in code allows. Publishes of one connection to one topic keep their order.
   * @throws HookDenied; ProtocolError `hook_failed`, `busy`, and what the client is told that has lost its permission meanwhile
   */
  async publish<A>(connection: Asker, draft: Draft, publish: (draft: Draft) => Promise<A>): Promise<A> {
    const { topic } = draft;
    const hook = this.#publish.get(namespaceOf(topic));
    if (hook === undefined) return publish(draft);
    return this.#waiting.run(connection.id, (assertMay) => {
      const decision = hook.ask(this.#publishQuestion(connection, draft));
      return this.#order.run(`${connection.id} ${topic}`, decision, (outcome) => {
        const { changed } = assertAllowed(outcome);
        assertMay();
        return changed === undefined ? publish(draft) : publishChanged({ ...draft, data: packed(changed.data) }, publish);
      });
    });
  }

  /** The client may publish no longer, also what waits for a hook in code. */
  withdraw(clientId: string, code: ErrorCode, message: string): void {
    this.#waiting.withdraw(clientId, code, message);
  }

  closed(connection: Connection, code: number): void {
    this.#approvals.closed(connection);
    this.#connections.closed(connection);
    if (!connection.ready || this.#disconnect.length === 0) return;
    const question: DisconnectQuestion = { hook: 'disconnect', ...this.#caller(connection, connection.identity), code };
    for (const step of this.#disconnect) void step(question);
  }

  everySecond(): void {
    this.#approvals.everySecond();
    this.#connections.everySecond();
  }

  #connectQuestion(client: Asker, identity: Identity, again: boolean): ConnectQuestion {
    return { hook: 'connect', ...this.#caller(client, identity), again };
  }

  #ask(connection: Asker, topic: FeedName, about: Pick<SubscribeQuestion, 'action' | 'options' | 'again'>): Promise<Outcome> {
    const steps = this.#subscribe.get(namespaceOf(topic)) ?? [];
    return askInTurn(steps, { hook: 'subscribe', ...this.#caller(connection, connection.identity), ...addressOf(topic), ...about });
  }

  #publishQuestion(connection: Asker, { topic, key, data, image, idempotencyKey }: Draft): PublishQuestion {
    return {
      hook: 'publish',
      ...this.#caller(connection, connection.identity),
      topic,
      key,
      data: unpackMsgpack(data),
      ...(image === true && { image }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    };
  }

  #caller({ id }: Pick<Asker, 'id'>, { user, info }: Identity): HookCaller {
    return { user, ...(info !== undefined && { info }), connectionId: id, nodeId: this.#options.nodeId };
  }

  #add(namespace: string, settings: Config['namespaces'][string]['hooks'], ask: Step): void {
    const { subscribe, publish } = this.#options.modules.namespaces.get(namespace) ?? {};
    const { module: file, timeoutMs, hookFailed } = settings;
    const inCode = this.#hook('subscribe', namespace, subscribe, { file, timeoutMs, hookFailed: hookFailed.subscribe });
    const steps = chain(inCode, settings.subscribe !== '' && ask);
    if (steps.length > 0) this.#subscribe.set(namespace, steps);
    const hook = this.#hook('publish', namespace, publish, { file, timeoutMs, hookFailed: hookFailed.publish });
    if (hook !== undefined) this.#publish.set(namespace, hook);
  }

  #hook<Q extends HookQuestion>(
    name: HookName,
    scope: string,
    run: ((question: Q) => unknown) | undefined,
    { file, ...how }: { readonly file: string; readonly timeoutMs: number; readonly hookFailed: 'deny' | 'allow' },
  ): Hook | undefined {
    if (run === undefined) return undefined;
    return new Hook({
      name,
      where: file,
      scope,
      ...how,
      askedMax: this.#options.config.tuning.hooks.askedMax,
      cache: this.#cache,
      ask: async (question) => run(question as Q),
      ...this.#metrics.of(name, scope),
    });
  }
}

const NO_PATTERNS: Outcome = { kind: 'denied', code: 'hook_denied', message: 'the hook of the namespace allows topics, not patterns' };

/** All hooks must allow the request. The question to a later hook contains the changes of the earlier ones. */
async function askInTurn(steps: readonly Step[], first: HookQuestion): Promise<Outcome> {
  let allowed = ALLOWED;
  let question = first;
  for (const step of steps) {
    const outcome = await step(question);
    if (outcome.kind !== 'allowed') return outcome;
    // A hook that does not know of patterns would judge one as a topic.
    if (question.hook === 'subscribe' && isPattern(question.topic) && outcome.pattern !== true) return NO_PATTERNS;
    allowed = both(allowed, outcome);
    if (question.hook === 'subscribe') question = { ...question, options: { ...question.options, ...outcome.options } };
  }
  return allowed;
}

function chain(inCode: Hook | undefined, onNats: Step | false): readonly Step[] {
  return [...(inCode === undefined ? [] : [(question: HookQuestion) => inCode.ask(question)]), ...(onNats === false ? [] : [onNats])];
}

/** If the hook's data does not fit the namespace, the client gets `hook_failed`: the hook made the mistake. */
async function publishChanged<A>(draft: Draft, publish: (draft: Draft) => Promise<A>): Promise<A> {
  try {
    return await publish(draft);
  } catch (cause) {
    if (!(cause instanceof ProtocolError) || ERROR_KINDS[cause.code].retryable) throw cause;
    throw new ProtocolError('hook_failed', 'the data that the hook wants to publish does not fit the namespace', { cause });
  }
}

/** @throws ProtocolError `hook_failed` if the data has no MessagePack form */
function packed(data: unknown): Uint8Array {
  try {
    return packMsgpack(toWireValue(data, TypeError));
  } catch (cause) {
    throw new ProtocolError('hook_failed', 'the data that the hook wants to publish cannot be encoded', { cause });
  }
}

function isSubject(setting: unknown): boolean {
  return typeof setting === 'string' && setting.startsWith('nats:');
}
