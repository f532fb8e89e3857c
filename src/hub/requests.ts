import { type Bus, BusError, type PublishAck, type PublishRequest } from '../bus/bus.ts';
import { messageId } from '../bus/message-id.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { HistoryAnswer, LinkItem, ToHub } from '../link/messages.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { stringifyJson } from '../protocol/json-codec.ts';
import { unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { toLinkItem } from './link-item.ts';
import { msgpackToPayload, payloadToMsgpack } from './payload.ts';
import type { TopicRegistry } from './topic-registry.ts';

type Request<K extends ToHub['kind']> = Extract<ToHub, { kind: K }>;

/** What is to be published; `data` is one MessagePack value. */
export type Draft = Pick<Request<'publish'>, 'topic' | 'key' | 'data'>;
export type Produced =
  | ({ readonly kind: 'published' } & PublishAck)
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** Reads one answer's publications at most; the client asks on from the last one. */
export const READ_ITEMS_MAX = 10_000;

/** Answers what workers ask on behalf of their clients: publish, history, call. */
export class RequestHandler {
  readonly #config: Config;
  readonly #bus: Bus;
  readonly #registry: TopicRegistry;
  readonly #metrics: HubMetrics;
  #publishesInFlight = 0;

  constructor(config: Config, bus: Bus, registry: TopicRegistry, metrics: HubMetrics) {
    this.#config = config;
    this.#bus = bus;
    this.#registry = registry;
    this.#metrics = metrics;
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
    try {
      worker.send({ kind: 'items', requestId: request.requestId, ...(await this.#read(request)) });
    } catch (error) {
      this.#fail(worker, request.requestId, error as Error);
    }
  }

  async readLast(worker: HubEnd, request: Request<'readLast'>): Promise<void> {
    try {
      const log = this.#bus.log(namespaceOf(request.topic));
      const { epoch, lastOffset } = await log.state();
      const publications = await log.readLast(request.topic, request.count);
      const answer: HistoryAnswer = {
        epoch,
        offset: publications.at(-1)?.offset ?? lastOffset,
        complete: true,
        more: false,
        items: this.#items(request.topic, publications),
      };
      worker.send({ kind: 'items', requestId: request.requestId, ...answer });
    } catch (error) {
      this.#fail(worker, request.requestId, error as Error);
    }
  }

  async call(worker: HubEnd, request: Request<'call'>): Promise<void> {
    try {
      const question = Buffer.from(stringifyJson(unpackMsgpack(request.data)));
      const answer = payloadToMsgpack(await this.#bus.call(request.method, question, request.timeoutMs), 'json');
      if (answer.kind === 'malformed')
        throw new ProtocolError('internal', `the answer of ${request.method} is malformed: ${answer.reason}`);
      worker.send({ kind: 'result', requestId: request.requestId, data: answer.data });
    } catch (error) {
      this.#fail(worker, request.requestId, error as Error);
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
    if (namespace.keyed && key === null) throw new ProtocolError('key_required', `${topic} is keyed`);
    if (!namespace.keyed && key !== null) throw new ProtocolError('key_not_allowed', `${topic} is not keyed`);
  }

  async #read({ topic, epoch, after, limit }: Request<'read'>): Promise<HistoryAnswer> {
    const log = this.#bus.log(namespaceOf(topic));
    // What this node's follower has passed is in the log before the read, so the answer covers it even when the topic has nothing there.
    const passed = this.#registry.get(topic)?.offset ?? 0;
    const state = await log.state();
    if (state.epoch !== epoch) return { epoch: state.epoch, offset: state.lastOffset, complete: false, more: false, items: [] };
    if (this.#namespace(topic).keyed) {
      const publications = await log.snapshot(topic, after);
      // Removal by age or size is oldest-first over the whole log: while something at or before the position is there, no key's latest item
      // after it has been removed.
      return this.#answer(topic, publications, {
        epoch,
        passed: Math.max(passed, after),
        complete: state.firstOffset <= after + 1,
        more: false,
      });
    }
    const { publications, anchored, more } = await log.read(topic, { after, limit: Math.min(limit, READ_ITEMS_MAX) });
    return this.#answer(topic, publications, { epoch, passed: Math.max(passed, after), complete: anchored, more });
  }

  #answer(
    topic: Topic,
    publications: readonly Parameters<typeof toLinkItem>[0][],
    { epoch, passed, complete, more }: { epoch: string; passed: number; complete: boolean; more: boolean },
  ): HistoryAnswer {
    const last = publications.at(-1)?.offset ?? 0;
    return { epoch, offset: more ? last : Math.max(last, passed), complete, more, items: this.#items(topic, publications) };
  }

  #items(topic: Topic, publications: readonly Parameters<typeof toLinkItem>[0][]): LinkItem[] {
    const namespace = this.#namespace(topic);
    return publications.flatMap((publication) => {
      const result = toLinkItem(publication, namespace);
      return result.kind === 'item' ? [result.item] : [];
    });
  }

  #namespace(topic: Topic): NamespaceOptions {
    return this.#config.namespaces[namespaceOf(topic)] as NamespaceOptions;
  }

  #fail(worker: HubEnd, requestId: number, error: Error): void {
    worker.send({ kind: 'failed', requestId, code: codeOf(error), message: error.message });
  }
}

function codeOf(error: Error): ErrorCode {
  if (error instanceof ProtocolError) return error.code;
  if (!(error instanceof BusError)) return 'internal';
  switch (error.code) {
    case 'publish_timeout':
      return 'outcome_unknown';
    case 'no_responders':
      return 'no_responders';
    case 'call_timeout':
      return 'timeout';
    default:
      return 'unavailable';
  }
}
