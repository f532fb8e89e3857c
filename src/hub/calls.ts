import type { Bus } from '../bus/bus.ts';
import type { CallAnswer, ServiceError } from '../bus/requests.ts';
import type { Config } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { msgpackToPayload, payloadToMsgpack } from './payload.ts';

type Call = Extract<ToHub, { kind: 'call' }>;
type Answer<M> = M extends { kind: 'result' | 'serviceError' } ? Omit<M, 'requestId'> : never;
/** The answer for the worker: one MessagePack value, or the service's own error. */
type Outcome = Answer<ToWorker>;

/** Maximum characters of a service's code and text that clients get. */
const SERVICE_CODE_MAX = 64;
const SERVICE_TEXT_MAX = 1024;

export interface CallsOptions {
  readonly config: Pick<Config, 'limits' | 'calls' | 'tuning'>;
  readonly bus: Pick<Bus, 'call'>;
  readonly nodeId: string;
  readonly metrics: Pick<HubMetrics, 'callsInFlight'>;
}

/** Sends calls of clients of all workers to the services that answer them. The number of calls in flight and the size of answers are bounded. */
export class Calls {
  readonly #config: CallsOptions['config'];
  readonly #payloadKind: Config['calls']['payload'];
  readonly #bus: Pick<Bus, 'call'>;
  readonly #nodeId: string;
  readonly #metrics: Pick<HubMetrics, 'callsInFlight'>;
  #inFlight = 0;

  constructor({ config, bus, nodeId, metrics }: CallsOptions) {
    this.#config = config;
    this.#payloadKind = config.calls.payload;
    this.#bus = bus;
    this.#nodeId = nodeId;
    this.#metrics = metrics;
  }

  /** @throws ProtocolError `busy`, `bad_payload`, `answer_too_large`, `bad_answer`, BusError */
  async call(worker: Pick<HubEnd, 'queuedBytes'>, { method, data, timeoutMs, user, connectionId }: Call): Promise<Outcome> {
    const { callsInFlightMax } = this.#config.tuning.commands;
    if (this.#inFlight >= callsInFlightMax) throw new ProtocolError('busy', `${callsInFlightMax} calls of this node are unanswered`);
    this.#metrics.callsInFlight.set(++this.#inFlight);
    try {
      const payloadKind = this.#payloadKind;
      const payload = msgpackToPayload(data, payloadKind);
      if (payload === undefined) throw new ProtocolError('bad_payload', `the data nests deeper than ${DATA_DEPTH_MAX} levels`);
      const caller = { user, connectionId, nodeId: this.#nodeId };
      const answer = await this.#bus.call({ method, payload, payloadKind, timeoutMs, caller });
      return answer.kind === 'serviceError' ? shortened(answer) : this.#checked(worker, method, answer);
    } finally {
      this.#metrics.callsInFlight.set(--this.#inFlight);
    }
  }

  #checked(
    worker: Pick<HubEnd, 'queuedBytes'>,
    method: string,
    { payload, payloadKind }: Extract<CallAnswer, { kind: 'result' }>,
  ): Outcome {
    const { limits, tuning } = this.#config;
    const bytesMax = Math.min(tuning.commands.callAnswerBytesMax, limits.sendBufferLimitBytes);
    if (payload.length > bytesMax)
      throw new ProtocolError('answer_too_large', `the answer of ${method} has ${payload.length} bytes; at most ${bytesMax} are allowed`);
    // The answers to many calls may arrive at once. A worker must not be restarted because of answers that it requested.
    if (worker.queuedBytes > tuning.hub.linkQueueBytesMax / 2) throw new ProtocolError('busy', 'too many answers wait for the worker');
    const answer = payloadToMsgpack(payload, payloadKind ?? this.#payloadKind);
    if (answer.kind === 'malformed') throw new ProtocolError('bad_answer', `the answer of ${method} is malformed: ${answer.reason}`);
    return { kind: 'result', data: Buffer.from(answer.data) };
  }
}

function shortened({ code, text }: ServiceError): Outcome {
  return {
    kind: 'serviceError',
    code: code === '' ? 'service_error' : code.slice(0, SERVICE_CODE_MAX),
    message: text === '' ? 'the service refused the call' : text.slice(0, SERVICE_TEXT_MAX),
  };
}
