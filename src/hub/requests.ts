import type { Bus } from '../bus/bus.ts';
import { BusError } from '../bus/bus-error.ts';
import { messageId } from '../bus/message-id.ts';
import type { PublishAck } from '../bus/publication.ts';
import type { Config } from '../config/schema.ts';
import { HookDenied } from '../hooks/denied.ts';
import { ALLOWED } from '../hooks/outcome.ts';
import { WaitingPublishes } from '../hooks/waiting-publishes.ts';
import type { HistoryAnswer, RecoveryAnswer } from '../link/answers.ts';
import type { HubEnd } from '../link/link.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Since } from '../recent/lives.ts';
import type { Logger } from '../telemetry/log.ts';
import { Calls } from './calls.ts';
import { codeOf, textForClient } from './failure.ts';
import { History } from './history.ts';
import { HistoryByTime } from './history-by-time.ts';
import type { NatsHooks } from './hooks/nats-hooks.ts';
import type { HubMetrics } from './hub-metrics.ts';
import type { Returning } from './hub-topic.ts';
import type { Draft, Publisher } from './publisher.ts';
import type { Sanitizer } from './sanitizing/sanitizer.ts';
import type { TopicRegistry } from './topic-registry.ts';

type Request<K extends ToHub['kind']> = Extract<ToHub, { kind: K }>;

export interface RequestHandlerOptions {
  readonly config: Config;
  readonly bus: Bus;
  readonly nodeId: string;
  readonly registry: TopicRegistry;
  readonly publisher: Publisher;
  /** Absent: there are none. */
  readonly hooks?: NatsHooks | undefined;
  /** Absent: no namespace sanitizes. */
  readonly sanitizer?: Sanitizer | undefined;
  readonly metrics: HubMetrics;
  readonly logger: Logger;
}

/** Answers requests of workers on behalf of their clients: publish, history, call. */
export class RequestHandler {
  readonly history: History;
  readonly historyByTime: HistoryByTime;
  readonly #calls: Calls;
  readonly #publisher: Publisher;
  readonly #whenRoom: TopicRegistry['whenRoom'];
  readonly #hooks: NatsHooks | undefined;
  readonly #sanitizer: Sanitizer | undefined;
  readonly #logger: Logger;
  readonly #secret: string | undefined;
  /** Undefined: no publish waits for anything but the log. */
  readonly #waiting: WaitingPublishes | undefined;

  constructor({ config, bus, nodeId, registry, publisher, hooks, sanitizer, metrics, logger }: RequestHandlerOptions) {
    this.#calls = new Calls({ config, bus, nodeId, metrics });
    this.history = new History(config, bus, registry, metrics);
    this.historyByTime = new HistoryByTime(bus, this.history);
    this.#publisher = publisher;
    this.#whenRoom = registry.whenRoom;
    this.#hooks = hooks;
    this.#sanitizer = sanitizer;
    this.#logger = logger;
    this.#secret = config.nats.originSecrets[0];
    this.#waiting = hooks === undefined && sanitizer === undefined ? undefined : new WaitingPublishes();
  }

  /** For a worker that opens a topic because a client comes back to it. */
  returning({ topic, since }: Request<'open'>): Returning | undefined {
    return since && { since, bring: (after) => this.history.bring({ topic, after }) };
  }

  async publish(worker: HubEnd, request: Request<'publish'>): Promise<void> {
    const { requestId, connectionId } = request;
    try {
      const storing =
        this.#waiting?.run(connectionId, (assertMay) => this.#publishLater(request, assertMay)) ?? this.#store(request, request);
      const { epoch, offset, duplicate } = await storing;
      worker.send({ kind: 'published', requestId, epoch, offset, duplicate });
    } catch (error) {
      this.#fail(worker, requestId, error as Error);
    }
  }

  /** The client has lost its permission: publishes of it that wait here are not stored. */
  withdraw({ connectionId, code, message }: Request<'withdraw'>): void {
    this.#waiting?.withdraw(connectionId, code, message);
  }

  async read(worker: HubEnd, request: Request<'read'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'items', () => this.history.page(request));
  }

  async readLast(worker: HubEnd, request: Request<'readLast'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'items', () => this.history.last(request.topic, request.count, request.bytesMax));
  }

  async readBetween(worker: HubEnd, request: Request<'readBetween'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'items', () => this.historyByTime.page(request));
  }

  async placeOf(worker: HubEnd, { requestId, topic, atMs }: Request<'placeOf'>): Promise<void> {
    await this.#answer(worker, requestId, 'place', () => this.historyByTime.placeOf(topic, atMs));
  }

  async recover(worker: HubEnd, request: Request<'recover'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'recovery', () => this.history.recover(request));
  }

  async call(worker: HubEnd, request: Request<'call'>): Promise<void> {
    const { requestId } = request;
    try {
      worker.send({ requestId, ...(await this.#calls.call(worker, request)) });
    } catch (error) {
      this.#fail(worker, requestId, error as Error);
    }
  }

  async askHook(worker: HubEnd, { requestId, question }: Request<'askHook'>): Promise<void> {
    worker.send({ kind: 'hookAnswer', requestId, outcome: (await this.#hooks?.ask(question)) ?? ALLOWED });
  }

  tellHook({ question }: Request<'tellHook'>): void {
    this.#hooks?.tell(question);
  }

  /** After the hook and the sanitizer. @param assertMay throws if the client has lost its permission meanwhile */
  async #publishLater(request: Request<'publish'>, assertMay: () => void): Promise<PublishAck> {
    const store = (draft: Draft) => {
      assertMay();
      return this.#store(request, draft);
    };
    // After the hook, whose change may contain what the client wrote.
    const publish = (draft: Draft) => {
      const cleaned = this.#sanitizer?.clean(draft) ?? draft;
      return cleaned instanceof Promise ? cleaned.then(store) : store(cleaned);
    };
    return this.#hooks === undefined ? publish(request) : this.#hooks.publish(request, publish);
  }

  #store({ topic, user, connectionId, idempotencyKey }: Request<'publish'>, draft: Draft): Promise<PublishAck> {
    return this.#publisher.publish(draft, {
      origin: { user, connectionId },
      ...(idempotencyKey !== undefined && { messageId: messageId(topic, user, idempotencyKey, this.#secret) }),
    });
  }

  async #answer(worker: HubEnd, requestId: number, kind: 'items', ask: () => Promise<HistoryAnswer>): Promise<void>;
  async #answer(worker: HubEnd, requestId: number, kind: 'recovery', ask: () => Promise<RecoveryAnswer>): Promise<void>;
  async #answer(worker: HubEnd, requestId: number, kind: 'place', ask: () => Promise<Since>): Promise<void>;
  async #answer(worker: HubEnd, requestId: number, kind: 'items' | 'recovery' | 'place', ask: () => Promise<object>): Promise<void> {
    try {
      const answer = { kind, requestId, ...(await ask()) } as ToWorker;
      this.#whenRoom(worker, () => worker.send(answer));
    } catch (error) {
      this.#fail(worker, requestId, error as Error);
    }
  }

  #fail(worker: HubEnd, requestId: number, error: Error): void {
    if (error instanceof HookDenied) {
      return void worker.send({ kind: 'serviceError', requestId, code: error.code, message: error.message });
    }
    if (error instanceof BusError) this.#logger.debug({ err: error }, 'the bus refused what a client requested');
    else if (!(error instanceof ProtocolError)) this.#logger.error({ err: error }, 'a request of a client could not be answered');
    worker.send({ kind: 'failed', requestId, code: codeOf(error), message: textForClient(error) });
  }
}
