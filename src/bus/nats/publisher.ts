import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JetStreamClient, jetstream, type PubAck } from '@nats-io/jetstream';
import { nuid } from '@nats-io/transport-node';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { BusCounters } from '../bus.ts';
import { BusError } from '../bus-error.ts';
import type { PublishRequest } from '../publication.ts';
import { subjectOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { type Failure, failureOf } from './errors.ts';
import { headersOf } from './headers.ts';
import { OriginSignatures } from './origin-signatures.ts';
import { deniedIn, describeDenied, isInboxDenied } from './permissions.ts';
import { afterFailure, FIRST_ATTEMPT } from './publish-retry.ts';
import { dedupeWindowMsOf } from './stream-config.ts';

/** Timeout of the first attempt; the next has twice as long. A leader that has just died never answers. */
const FIRST_TIMEOUT_MS = 2000;

export interface PublisherOptions {
  readonly originSecrets: readonly string[];
  readonly requestTimeoutMs: number;
  readonly publishBudgetMs: number;
}

/** Publishes to streams until they answer: {@link afterFailure} decides, this class sends. */
export class Publisher {
  readonly #connection: Connection;
  readonly #options: PublisherOptions;
  readonly #counters: BusCounters;
  readonly #signatures: OriginSignatures;
  readonly #js: JetStreamClient;
  readonly #abort = new AbortController();

  constructor(connection: Connection, options: PublisherOptions, counters: BusCounters) {
    this.#connection = connection;
    this.#options = options;
    this.#counters = counters;
    this.#signatures = new OriginSignatures(options.originSecrets);
    this.#js = jetstream(connection.nc, { apiPrefix: connection.names.api });
    // One for each publish that waits to be sent again.
    setMaxListeners(0, this.#abort.signal);
  }

  /** Waiting publishes fail with `bus_closed`. */
  stop(): void {
    this.#abort.abort();
  }

  /** @throws BusError `publish_timeout`, `bus_unreachable`, `publish_refused`, `permission_denied`, `bus_closed` */
  async publish(request: PublishRequest, stream: string, namespace: NamespaceOptions): Promise<PubAck> {
    const startMs = performance.now();
    // Half the window, so that an id is still remembered when the last attempt arrives.
    const budgetMs = Math.min(this.#options.publishBudgetMs, dedupeWindowMsOf(namespace) / 2);
    const messageId = request.messageId ?? nuid.next();
    for (let state = FIRST_ATTEMPT; ; this.#counters.publishRetries++) {
      const leftMs = budgetMs - (performance.now() - startMs);
      const timeoutMs = Math.min(leftMs, FIRST_TIMEOUT_MS * 2 ** Math.min(state.attempts - 1, 8), this.#options.requestTimeoutMs);
      const result = await this.#attempt(request, messageId, stream, namespace, timeoutMs).catch((error: Error) => error);
      if (!(result instanceof Error)) return result;
      if (this.#abort.signal.aborted) throw closed(result);
      const elapsedMs = performance.now() - startMs;
      const step = afterFailure(state, this.#failureOf(result), elapsedMs, budgetMs);
      if (step.kind === 'fail') throw new BusError(step.code, this.#explain(step.code, stream, result), { cause: result });
      if (step.kind === 'await_connection') await this.#connection.whenConnected(budgetMs - elapsedMs);
      else await sleep(step.afterMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      if (this.#abort.signal.aborted) throw closed(result);
      state = step.state;
    }
  }

  #failureOf(error: Error): Failure | 'unanswerable' {
    const denied = deniedIn(error);
    return denied !== undefined && isInboxDenied(denied, this.#connection.names) ? 'unanswerable' : failureOf(error);
  }

  #explain(code: string, stream: string, error: Error): string {
    const denied = deniedIn(error);
    const reason = denied === undefined ? error.message : describeDenied(denied, this.#connection.names);
    if (code === 'publish_timeout') return `${stream} did not answer in time, so the publication may or may not be stored: ${reason}`;
    return denied === undefined ? `${stream} refused the publication: ${reason}` : reason;
  }

  async #attempt(
    request: PublishRequest,
    messageId: string,
    stream: string,
    namespace: NamespaceOptions,
    timeoutMs: number,
  ): Promise<PubAck> {
    const headers = headersOf(request, namespace, this.#signatures);
    const ack = await this.#connection.request(() =>
      this.#js.publish(subjectOf(request.topic, request.key), request.payload, {
        msgID: messageId,
        timeout: Math.max(timeoutMs, 1),
        ...(headers !== undefined && { headers }),
      }),
    );
    // Not checked with a header (`Nats-Expected-Stream`): the header stays with the message, and a mirror on NATS 2.9 then stops at it.
    if (ack.stream !== stream) throw new Error(`stream ${ack.stream} stored it instead`);
    return ack;
  }
}

function closed(cause: Error): BusError {
  return new BusError('bus_closed', 'the bus is stopped', { cause });
}
