import type { Config } from '../../config/schema.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { type Bucket, takeToken } from '../../telemetry/rate-limit.ts';
import { type Inbound, InboundLimits } from '../inbound-limits.ts';

/** What a user, or an address without a token, has used up of its limits: the counterpart of a connection's counters. */
export class Caller implements Bucket, Inbound {
  rateTokens = Number.POSITIVE_INFINITY;
  rateAtMs = 0;
  frameTokens = Number.POSITIVE_INFINITY;
  byteTokens = Number.POSITIVE_INFINITY;
  inboundAtMs = 0;
  requestsInFlight = 0;
  publishesInFlight = 0;
  hooksAsked = 0;
}

/** Buckets are full again after this time, so what they say is no longer needed. */
const FORGET_AFTER_MS = 2000;

type Limits = Pick<Config['limits'], 'messagesPerSecondMax' | 'bytesPerSecondMax'> & Config['tuning']['commands'];

/** Limits requests as the messages of one connection are limited: all requests of a user together, or of an address where there is no user. */
export class Callers {
  readonly #limits: Limits;
  readonly #inbound: InboundLimits;
  readonly #max: number;
  readonly #callers = new Map<string, Caller>();

  constructor({ limits, tuning }: Pick<Config, 'limits' | 'tuning'>) {
    this.#limits = { ...limits, ...tuning.commands };
    this.#inbound = new InboundLimits(this.#limits);
    this.#max = tuning.http.callersMax;
  }

  get size(): number {
    return this.#callers.size;
  }

  /** Counts one request with this many bytes. @throws ProtocolError `rate_limited`, `busy` */
  take(name: string, bytes: number, nowMs: number): Caller {
    const caller = this.#callers.get(name) ?? this.#add(name);
    const { messagesPerSecondMax, bytesPerSecondMax } = this.#limits;
    if (this.#inbound.take(caller, bytes, nowMs) !== 'ok') {
      const retryAfterMs = this.#inbound.retryAfterMs(caller);
      // There is no connection to close, so what is refused does not count: otherwise a caller that goes on would never be served again.
      caller.frameTokens++;
      caller.byteTokens += bytes;
      throw new ProtocolError('rate_limited', `more than ${bytesPerSecondMax} bytes a second`, { retryAfterMs });
    }
    const retryAfterMs = takeToken(caller, messagesPerSecondMax, nowMs);
    if (retryAfterMs > 0) throw new ProtocolError('rate_limited', `more than ${messagesPerSecondMax} requests a second`, { retryAfterMs });
    return caller;
  }

  /** Called about once a second. */
  forgetOld(nowMs: number): void {
    for (const [name, { inboundAtMs, requestsInFlight }] of this.#callers) {
      if (requestsInFlight === 0 && nowMs - inboundAtMs > FORGET_AFTER_MS) this.#callers.delete(name);
    }
  }

  #add(name: string): Caller {
    if (this.#callers.size >= this.#max) {
      throw new ProtocolError('busy', `${this.#max} users and addresses sent requests just now`, { retryAfterMs: FORGET_AFTER_MS });
    }
    const caller = new Caller();
    this.#callers.set(name, caller);
    return caller;
  }
}
