import type { Bus } from '../../bus/bus.ts';
import type { IncomingRequest, RequestAnswer, ServiceError } from '../../bus/requests.ts';
import type { Config } from '../../config/schema.ts';
import type { CalledOutcome } from '../../link/answers.ts';
import type { HubEnd } from '../../link/link.ts';
import type { ToHub } from '../../link/messages.ts';
import { type ErrorCode, ProtocolError } from '../../protocol/errors.ts';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import type { Logger } from '../../telemetry/log.ts';
import { OnceASecond } from '../../telemetry/once-a-second.ts';
import { msgpackToPayload, payloadToMsgpack } from '../payload.ts';
import { WorkerQuestions } from '../worker-questions.ts';
import { ALL_NAMESPACES, calledIn, connectionIn, namespaceIn, patternsOf } from './addresses.ts';

/** If the one that calls names no time. */
export const CALL_TIMEOUT_MS = 5000;
/** A worker answers within the time of the call, and at once what is sent. */
const WORKER_MARGIN_MS = 1000;

export interface DelivererOptions {
  readonly config: Config;
  readonly bus: Pick<Bus, 'onRequest'>;
  readonly logger: Logger;
  readonly workers: ReadonlySet<HubEnd>;
}

/** Passes what servers send, by any node or program, on to the connections of this node. The number and the bytes of unanswered requests are bounded. */
export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #questions = new WorkerQuestions();
  readonly #stops = new Map<HubEnd, () => void>();
  readonly #stopNamespaces: () => void;
  readonly #unknown: OnceASecond;
  readonly #invalid: OnceASecond;
  #inFlight = 0;
  #bytesInFlight = 0;

  constructor(options: DelivererOptions) {
    this.#options = options;
    this.#unknown = new OnceASecond(options.logger, 'a message to a namespace that is not configured');
    this.#invalid = new OnceASecond(options.logger, 'a message to a namespace is invalid');
    this.#stopNamespaces = options.bus.onRequest(ALL_NAMESPACES, (request) => this.#toNamespace(request));
  }

  /** Calls of clients, and messages to a connection, that are not answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Its connections have ids that begin with the prefix. */
  addWorker(worker: HubEnd, idPrefix: string): void {
    const [send, call] = patternsOf(idPrefix);
    const { bus } = this.#options;
    const stops = [
      bus.onRequest(send, (request) => void this.#answer(request, (data) => this.#send(worker, request, data))),
      bus.onRequest(call, (request) => void this.#answer(request, (data) => this.#call(worker, request, data))),
    ];
    this.#stops.set(worker, () => {
      for (const stop of stops) stop();
    });
  }

  removeWorker(worker: HubEnd): void {
    this.#stops.get(worker)?.();
    this.#stops.delete(worker);
    this.#questions.removeWorker(worker);
  }

  answered(answer: Extract<ToHub, { kind: 'sent' | 'called' }>): void {
    this.#questions.answered(answer);
  }

  stop(): void {
    this.#stopNamespaces();
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
    this.#questions.stop();
  }

  #toNamespace(request: IncomingRequest): void {
    const { config, workers } = this.#options;
    const namespace = namespaceIn(request.address);
    if (!Object.hasOwn(config.namespaces, namespace)) return this.#unknown.warn({ namespace });
    try {
      const data = this.#dataOf(request);
      for (const worker of workers) worker.send({ kind: 'sendToNamespace', namespace, data });
    } catch (error) {
      this.#invalid.warn({ namespace, err: error });
    }
  }

  async #answer(request: IncomingRequest, ask: (data: Uint8Array) => Promise<RequestAnswer>): Promise<void> {
    const { requestsInFlightMax, requestBytesInFlightMax } = this.#options.config.tuning.sending;
    const bytes = request.payload.length;
    if (this.#inFlight >= requestsInFlightMax || this.#bytesInFlight + bytes > requestBytesInFlightMax)
      return request.answer?.(errorOf('busy', 'too many requests to connections of this node are unanswered'));
    this.#inFlight++;
    this.#bytesInFlight += bytes;
    try {
      // First, because it is carried out even if nobody waits for the answer.
      const answer = await ask(this.#dataOf(request));
      request.answer?.(answer);
    } catch (error) {
      if (error instanceof ProtocolError) request.answer?.(errorOf(error.code, error.message));
      else {
        this.#options.logger.error({ err: error }, 'a request to a connection failed');
        request.answer?.(errorOf('internal', 'unexpected server error'));
      }
    } finally {
      this.#inFlight--;
      this.#bytesInFlight -= bytes;
    }
  }

  async #send(worker: HubEnd, { address, volatile, payloadKind }: IncomingRequest, data: Uint8Array): Promise<RequestAnswer> {
    const question = { kind: 'sendToConnection', connectionId: connectionIn(address), data, volatile } as const;
    const { outcome = 'noConnection' } = (await this.#questions.ask<'sendToConnection'>(worker, question, WORKER_MARGIN_MS)) ?? {};
    if (outcome === 'noConnection') return errorOf('no_such_connection', 'there is no such connection');
    return resultOf(packMsgpack({ delivered: outcome === 'sent' }), payloadKind, Number.POSITIVE_INFINITY);
  }

  async #call(worker: HubEnd, request: IncomingRequest, data: Uint8Array): Promise<RequestAnswer> {
    const { callTimeoutMaxMs, callAnswerBytesMax } = this.#options.config.tuning.commands;
    const called = calledIn(request.address);
    if (called === undefined) return errorOf('bad_topic', 'a method is 1–8 tokens of [A-Za-z0-9_-] joined by dots');
    const timeoutMs = Math.ceil(Math.min(request.timeoutMs ?? CALL_TIMEOUT_MS, callTimeoutMaxMs));
    const question = { kind: 'callConnection', ...called, data, timeoutMs } as const;
    const answer = await this.#questions.ask<'callConnection'>(worker, question, timeoutMs + WORKER_MARGIN_MS);
    if (answer === undefined) return errorOf('connection_closed', 'the worker of the connection did not answer');
    return answerOf(answer.outcome, request.payloadKind, callAnswerBytesMax);
  }

  /** One MessagePack value. @throws ProtocolError `bad_payload`, `message_too_big` */
  #dataOf({ payload, payloadKind }: IncomingRequest): Uint8Array {
    const { tuning, limits } = this.#options.config;
    const result = payloadToMsgpack(payload, payloadKind ?? 'json');
    if (result.kind === 'malformed') throw new ProtocolError('bad_payload', result.reason);
    // More would close the connection.
    assertFits(result.data, Math.min(tuning.sending.messageBytesMax, limits.sendBufferLimitBytes));
    return Buffer.from(result.data);
  }
}

/** @throws ProtocolError `message_too_big` */
export function assertFits({ length }: Uint8Array, bytesMax: number): void {
  if (length > bytesMax) throw new ProtocolError('message_too_big', `the data has ${length} bytes; at most ${bytesMax} are allowed`);
}

function answerOf(outcome: CalledOutcome, payloadKind: IncomingRequest['payloadKind'], bytesMax: number): RequestAnswer {
  if (outcome.kind === 'error') return { kind: 'serviceError', code: outcome.code, text: outcome.message };
  return resultOf(outcome.data, payloadKind, bytesMax);
}

/** In the format of the question. */
function resultOf(data: Uint8Array, questionKind: IncomingRequest['payloadKind'], bytesMax: number): RequestAnswer {
  const payloadKind = questionKind === 'msgpack' ? 'msgpack' : 'json';
  const payload = msgpackToPayload(data, payloadKind);
  if (payload === undefined) return errorOf('bad_answer', 'the answer of the client is nested too deeply');
  if (payload.length > bytesMax)
    return errorOf('answer_too_large', `the answer of the client has ${payload.length} bytes; at most ${bytesMax} are allowed`);
  return { kind: 'result', payload, payloadKind };
}

function errorOf(code: ErrorCode, text: string): ServiceError {
  return { kind: 'serviceError', code, text };
}
