import { type Bus, BusError, type BusErrorCode, type PublishAck, type PublishRequest } from '../bus/bus.ts';
import { messageId } from '../bus/message-id.ts';
import { depthProblem, namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { HistoryAnswer, RecoveryAnswer, ToHub, ToWorker } from '../link/messages.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import type { Logger } from '../telemetry/log.ts';
import { Calls } from './calls.ts';
import { History } from './history.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { msgpackToPayload } from './payload.ts';
import type { TopicRegistry } from './topic-registry.ts';

type Request<K extends ToHub['kind']> = Extract<ToHub, { kind: K }>;

/** What is to be published; `data` is one MessagePack value. */
export type Draft = Pick<Request<'publish'>, 'topic' | 'key' | 'data'>;
export type Produced =
  | ({ readonly kind: 'published' } & PublishAck)
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

const BUS_ERROR_TEXTS: Partial<Record<BusErrorCode, string>> = {
  bus_unreachable: 'the broker cannot be reached now',
  bus_closed: 'the node is going away',
  jetstream_unavailable: 'the broker cannot be reached now',
  stream_missing: 'the log cannot be reached now',
  stream_mismatch: 'the log cannot be reached now',
  mirror_too_old: 'the log cannot be read now',
  log_gone: 'the log cannot be read now',
  log_gap: 'the log cannot be read now',
  log_rolled_back: 'the log cannot be read now',
  permission_denied: 'the broker does not let this node do that',
  publish_timeout: 'the log did not answer in time: the publication may or may not be stored',
  publish_refused: 'the broker did not take the publication',
};

/** Answers what workers ask on behalf of their clients: publish, history, call. */
export class RequestHandler {
  readonly #config: Config;
  readonly #bus: Bus;
  readonly #history: History;
  readonly #calls: Calls;
  readonly #metrics: HubMetrics;
  readonly #logger: Logger;
  #publishesInFlight = 0;

  constructor(config: Config, bus: Bus, registry: TopicRegistry, metrics: HubMetrics, logger: Logger) {
    this.#config = config;
    this.#bus = bus;
    this.#calls = new Calls(config, bus, metrics);
    this.#history = new History(config, bus, registry, metrics);
    this.#metrics = metrics;
    this.#logger = logger;
  }

  /** Of reads of the log for clients. */
  get readBytes(): History['bytes'] {
    return this.#history.bytes;
  }

  async publish(worker: HubEnd, request: Request<'publish'>): Promise<void> {
    const { requestId, user, connectionId, idempotencyKey } = request;
    try {
      const { epoch, offset, duplicate } = await this.#publish(request, {
        origin: { user, connectionId },
        ...(idempotencyKey !== undefined && { messageId: messageId(request.topic, user, idempotencyKey) }),
      });
      worker.send({ kind: 'published', requestId, epoch, offset, duplicate });
    } catch (error) {
      this.#fail(worker, requestId, error as Error);
    }
  }

  /** The operator's own publication: without an origin, as a producer's. */
  async produce(draft: Draft): Promise<Produced> {
    try {
      this.#assertFits(draft);
      return { kind: 'published', ...(await this.#publish(draft, {})) };
    } catch (error) {
      return { kind: 'refused', code: codeOf(error as Error), message: (error as Error).message };
    }
  }

  async read(worker: HubEnd, request: Request<'read'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'items', () => this.#history.page(request));
  }

  async readLast(worker: HubEnd, request: Request<'readLast'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'items', () => this.#history.last(request.topic, request.count, request.bytesMax));
  }

  async recover(worker: HubEnd, request: Request<'recover'>): Promise<void> {
    await this.#answer(worker, request.requestId, 'recovery', () => this.#history.recover(request));
  }

  async call(worker: HubEnd, request: Request<'call'>): Promise<void> {
    const { requestId } = request;
    try {
      worker.send({ kind: 'result', requestId, data: await this.#calls.call(worker, request) });
    } catch (error) {
      this.#fail(worker, requestId, error as Error);
    }
  }

  /** @throws ProtocolError, BusError */
  async #publish(draft: Draft, extras: Pick<PublishRequest, 'origin' | 'messageId'>): Promise<PublishAck> {
    if (this.#publishesInFlight >= this.#config.limits.publishesInFlightMax) {
      throw new ProtocolError('busy', 'too many publishes wait for the log');
    }
    this.#metrics.publishesInFlight.set(++this.#publishesInFlight);
    const answered = this.#metrics.publishAck.startTimer();
    try {
      const ack = await this.#bus.publish({ ...this.#toPayload(draft), ...extras });
      answered({ outcome: 'stored' });
      return ack;
    } catch (error) {
      answered({ outcome: codeOf(error as Error) });
      throw error;
    } finally {
      this.#metrics.publishesInFlight.set(--this.#publishesInFlight);
    }
  }

  #toPayload({ topic, key, data }: Draft): PublishRequest {
    const { payload: payloadKind, maxPayloadBytes } = this.#namespace(topic);
    const payload = msgpackToPayload(data, payloadKind);
    if (payload === undefined) throw new ProtocolError('bad_payload', `${topic} takes ${payloadKind}`);
    if (payload.length > maxPayloadBytes) {
      throw new ProtocolError('message_too_big', `the payload has ${payload.length} bytes, ${maxPayloadBytes} are allowed`);
    }
    return { topic, key, payload, payloadKind };
  }

  /** What workers check of their clients' publishes. */
  #assertFits({ topic, key }: Draft): void {
    const namespace = namespaceOptions(this.#config, namespaceOf(topic));
    if (namespace === undefined) throw new ProtocolError('unknown_namespace', `no namespace is configured for ${topic}`);
    const problem = depthProblem(topic, namespace);
    if (problem !== undefined) throw new ProtocolError('bad_topic', problem);
    if (namespace.keyed && key === null) throw new ProtocolError('key_required', `${topic} is keyed`);
    if (!namespace.keyed && key !== null) throw new ProtocolError('key_not_allowed', `${topic} is not keyed`);
  }

  async #answer(worker: HubEnd, requestId: number, kind: 'items', ask: () => Promise<HistoryAnswer>): Promise<void>;
  async #answer(worker: HubEnd, requestId: number, kind: 'recovery', ask: () => Promise<RecoveryAnswer>): Promise<void>;
  async #answer(worker: HubEnd, requestId: number, kind: 'items' | 'recovery', ask: () => Promise<object>): Promise<void> {
    try {
      worker.send({ kind, requestId, ...(await ask()) } as ToWorker);
    } catch (error) {
      this.#fail(worker, requestId, error as Error);
    }
  }

  #namespace(topic: Topic): NamespaceOptions {
    return this.#config.namespaces[namespaceOf(topic)] as NamespaceOptions;
  }

  #fail(worker: HubEnd, requestId: number, error: Error): void {
    if (error instanceof BusError) this.#logger.debug({ err: error }, 'the bus did not do what a client asked for');
    worker.send({ kind: 'failed', requestId, code: codeOf(error), message: textForClient(error) });
  }
}

function codeOf(error: Error): ErrorCode {
  if (error instanceof ProtocolError) return error.code;
  if (!(error instanceof BusError)) return 'internal';
  switch (error.code) {
    case 'publish_timeout':
      return 'outcome_unknown';
    case 'bus_busy':
      return 'busy';
    case 'no_responders':
      return 'no_responders';
    case 'call_timeout':
      return 'timeout';
    default:
      return 'unavailable';
  }
}

/** What a bus says of its inside (streams, subjects, permissions) is for the log. */
function textForClient(error: Error): string {
  if (!(error instanceof BusError)) return error.message;
  return BUS_ERROR_TEXTS[error.code] ?? error.message;
}
