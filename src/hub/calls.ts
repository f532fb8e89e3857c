import type { Bus } from '../bus/bus.ts';
import type { Config } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { ToHub } from '../link/messages.ts';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { msgpackToPayload, payloadToMsgpack } from './payload.ts';

type Call = Extract<ToHub, { kind: 'call' }>;

/** Asks whoever serves a method, for clients of all workers: a bounded number at once, with answers of a bounded size. */
export class Calls {
  readonly #config: Pick<Config, 'limits' | 'tuning'>;
  readonly #bus: Pick<Bus, 'call'>;
  readonly #metrics: Pick<HubMetrics, 'callsInFlight'>;
  #inFlight = 0;

  constructor(config: Pick<Config, 'limits' | 'tuning'>, bus: Pick<Bus, 'call'>, metrics: Pick<HubMetrics, 'callsInFlight'>) {
    this.#config = config;
    this.#bus = bus;
    this.#metrics = metrics;
  }

  /** @throws ProtocolError `busy`, `bad_payload`, `internal`, BusError */
  async call(worker: Pick<HubEnd, 'queuedBytes'>, { method, data, timeoutMs }: Call): Promise<Uint8Array> {
    const { callsInFlightMax } = this.#config.tuning.commands;
    if (this.#inFlight >= callsInFlightMax) throw new ProtocolError('busy', `${callsInFlightMax} calls of this node wait for answers`);
    this.#metrics.callsInFlight.set(++this.#inFlight);
    try {
      const question = msgpackToPayload(data, 'json');
      if (question === undefined) throw new ProtocolError('bad_payload', `the data nests deeper than ${DATA_DEPTH_MAX} levels`);
      const answer = await this.#bus.call(method, question, timeoutMs);
      return this.#checked(worker, method, answer);
    } finally {
      this.#metrics.callsInFlight.set(--this.#inFlight);
    }
  }

  /** @returns one MessagePack value */
  #checked(worker: Pick<HubEnd, 'queuedBytes'>, method: string, bytes: Uint8Array): Uint8Array {
    const { limits, tuning } = this.#config;
    const bytesMax = Math.min(tuning.commands.callAnswerBytesMax, limits.sendBufferLimitBytes);
    if (bytes.length > bytesMax)
      throw new ProtocolError('internal', `the answer of ${method} has ${bytes.length} bytes, ${bytesMax} are allowed`);
    // The answers to many calls may come at once: a worker must not be restarted for what it has asked for.
    if (worker.queuedBytes > tuning.hub.linkQueueBytesMax / 2)
      throw new ProtocolError('busy', 'too many answers are on their way to the worker');
    const answer = payloadToMsgpack(bytes, 'json');
    if (answer.kind === 'malformed') throw new ProtocolError('internal', `the answer of ${method} is malformed: ${answer.reason}`);
    return answer.data;
  }
}
