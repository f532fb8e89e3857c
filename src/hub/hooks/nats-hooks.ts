import type { Bus } from '../../bus/bus.ts';
import { hookSubject } from '../../config/hooks.ts';
import type { Config } from '../../config/schema.ts';
import { AnswerCache } from '../../hooks/answer-cache.ts';
import { assertAllowed } from '../../hooks/denied.ts';
import { Hook } from '../../hooks/hook.ts';
import { InOrder } from '../../hooks/in-order.ts';
import { ALLOWED, type Outcome } from '../../hooks/outcome.ts';
import type { ConnectQuestion, DisconnectQuestion, HookName, HookQuestion, SubscribeQuestion } from '../../hooks/types.ts';
import type { ToHub } from '../../link/messages.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { stringifyJson } from '../../protocol/json-writer.ts';
import { packMsgpack, unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import { namespaceOf, type Topic } from '../../protocol/topic.ts';
import type { HookMetrics } from '../../telemetry/hook-metrics.ts';
import { payloadToMsgpack } from '../payload.ts';
import type { Draft, Publisher } from '../publisher.ts';
import { AskedRates } from './asked-rates.ts';

export interface NatsHooksOptions {
  readonly config: Config;
  readonly bus: Pick<Bus, 'call'>;
  readonly nodeId: string;
  readonly publisher: Pick<Publisher, 'assertFits'>;
  readonly metrics: () => Pick<HookMetrics, 'of'>;
}

type Publish = Extract<ToHub, { kind: 'publish' }>;

/** The hooks on NATS, for all workers of the node. Caches their answers, and keeps the order of publishes. */
export class NatsHooks {
  readonly #options: NatsHooksOptions;
  readonly #cache: AnswerCache;
  readonly #rates: AskedRates;
  readonly #connect: Hook | undefined;
  readonly #disconnect: Hook | undefined;
  readonly #subscribe: ReadonlyMap<string, Hook>;
  readonly #publish: ReadonlyMap<string, Hook>;
  readonly #order = new InOrder();
  readonly #metrics: Pick<HookMetrics, 'of'>;

  /** @returns undefined: the config has no hooks on NATS */
  static create(options: NatsHooksOptions): NatsHooks | undefined {
    const { hooks, namespaces } = options.config;
    const settings = [hooks, ...Object.values(namespaces).map((namespace) => namespace.hooks)];
    const some = settings
      .flatMap((all) => Object.values(all))
      .some((setting) => typeof setting === 'string' && setting.startsWith('nats:'));
    return some ? new NatsHooks(options, options.metrics()) : undefined;
  }

  private constructor(options: NatsHooksOptions, metrics: Pick<HookMetrics, 'of'>) {
    this.#metrics = metrics;
    const { hooks } = options.config;
    this.#options = options;
    this.#cache = new AnswerCache(options.config.tuning.hooks);
    this.#rates = new AskedRates(options.config.tuning.hooks);
    this.#connect = this.#hook('connect', '', hooks.connect, { ...hooks, hookFailed: hooks.hookFailed.connect });
    this.#disconnect = this.#hook('disconnect', '', hooks.disconnect, { ...hooks, hookFailed: 'deny' });
    this.#subscribe = this.#ofNamespaces('subscribe');
    this.#publish = this.#ofNamespaces('publish');
  }

  get cache(): Pick<AnswerCache, 'size' | 'bytes'> {
    return this.#cache;
  }

  /** Never rejects. */
  async ask(question: ConnectQuestion | SubscribeQuestion): Promise<Outcome> {
    const hook = question.hook === 'connect' ? this.#connect : this.#subscribe.get(namespaceOf(question.topic as Topic));
    return hook === undefined ? ALLOWED : hook.ask(question);
  }

  tell(question: DisconnectQuestion): void {
    void this.#disconnect?.ask(question);
  }

  /**
   * Publishes what the hook of the topic's namespace allows. The hook decides concurrently about publishes of one connection to one topic; they are published
   * in the order in which they came.
   *
   * @throws HookDenied; ProtocolError `hook_failed`, `busy`, and the errors of {@link Publisher.assertFits}, which runs before the hook
   */
  async publish<A>(request: Publish, publish: (draft: Draft) => Promise<A>): Promise<A> {
    const { topic, connectionId } = request;
    const hook = this.#publish.get(namespaceOf(topic));
    if (hook === undefined) return publish(request);
    this.#options.publisher.assertFits(request);
    return this.#order.run(`${connectionId} ${topic}`, hook.ask(this.#questionOf(request)), (outcome) => {
      const { changed } = assertAllowed(outcome);
      return publish(changed === undefined ? request : this.#changed(request, changed.data));
    });
  }

  /** @throws ProtocolError `hook_failed` if the hook's data does not fit the namespace: the hook made the mistake, not the client */
  #changed({ topic, key, image, noEcho, volatile }: Publish, value: unknown): Draft {
    const draft = { topic, key, data: packMsgpack(value), image, noEcho, volatile };
    try {
      this.#options.publisher.assertFits(draft);
      return draft;
    } catch (cause) {
      throw new ProtocolError('hook_failed', 'the data that the hook wants to publish does not fit the namespace', { cause });
    }
  }

  #questionOf({ topic, key, data, image, idempotencyKey, user, connectionId, info }: Publish): HookQuestion {
    return {
      hook: 'publish',
      user,
      ...(info !== undefined && { info }),
      connectionId,
      nodeId: this.#options.nodeId,
      topic,
      key,
      data: unpackMsgpack(data),
      ...(image === true && { image }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    };
  }

  #ofNamespaces(name: 'subscribe' | 'publish'): ReadonlyMap<string, Hook> {
    const all = new Map<string, Hook>();
    for (const [namespace, { hooks }] of Object.entries(this.#options.config.namespaces)) {
      const hook = this.#hook(name, namespace, hooks[name], { timeoutMs: hooks.timeoutMs, hookFailed: hooks.hookFailed[name] });
      if (hook !== undefined) all.set(namespace, hook);
    }
    return all;
  }

  #hook(
    name: HookName,
    scope: string,
    setting: string,
    { timeoutMs, hookFailed }: { readonly timeoutMs: number; readonly hookFailed: 'deny' | 'allow' },
  ): Hook | undefined {
    const subject = hookSubject(setting);
    if (subject === undefined) return undefined;

    return new Hook({
      name,
      where: setting,
      scope,
      timeoutMs,
      hookFailed,
      askedMax: this.#options.config.tuning.hooks.askedMax,
      cache: this.#cache,
      refuse: (question) => this.#rates.refuse(question, performance.now()),
      ask: (question) => this.#ask(subject, question, timeoutMs),
      ...this.#metrics.of(name, scope),
    });
  }

  /** @throws BusError; Error if the service reports an error or its answer is malformed */
  async #ask(subject: string, question: HookQuestion, timeoutMs: number): Promise<unknown> {
    const { bus, config } = this.#options;
    const payloadKind = config.calls.payload;
    const payload = payloadKind === 'json' ? Buffer.from(stringifyJson(question, 'digits')) : packMsgpack(question);
    const { user, connectionId, nodeId } = question;
    const caller = { user: user ?? '', connectionId, nodeId };
    const answer = await bus.call({ method: subject, subject, payload, payloadKind, timeoutMs, caller });
    if (answer.kind === 'serviceError') throw new Error(`the service failed: ${answer.code} ${answer.text}`.trimEnd());
    if (question.hook === 'disconnect') return undefined;
    const value = payloadToMsgpack(answer.payload, answer.payloadKind ?? payloadKind);
    if (value.kind === 'malformed') throw new Error(`the answer is malformed: ${value.reason}`);
    return unpackMsgpack(value.data);
  }
}
