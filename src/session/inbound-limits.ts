import type { Config } from '../config/schema.ts';

/** What one connection may still send, as two token buckets; fields of the connection, so that a limit needs no object. */
export interface Inbound {
  frameTokens: number;
  byteTokens: number;
  inboundAtMs: number;
}

type Limits = Pick<Config['limits'] & Config['tuning']['commands'], 'framesPerSecondMax' | 'bytesPerSecondMax' | 'messagesPerSecondMax'>;

/** `tooManyBytes`: the message is refused without being read. `flood`: the connection is closed. */
export type InboundVerdict = 'ok' | 'tooManyBytes' | 'flood';

/** Header and mask of a small frame from a client. More precision is not worth its cost. */
const FRAME_OVERHEAD_BYTES = 6;

/**
 * Limits what a connection sends: frames, including control frames, and bytes. Both buckets have two seconds' worth. Above that a frame is a flood, because
 * messages have their own lower limit, which is answered with `rate_limited`. Bytes first go into debt: a client that sends large messages too fast is told so,
 * and closed if it sends as much again.
 *
 * Only whole frames with a handler are counted. uWebSockets does not report fragments until their message ends, and empty ones need no memory.
 */
export class InboundLimits {
  readonly #framesPerSecondMax: number;
  readonly #bytesPerSecondMax: number;

  constructor({ framesPerSecondMax, bytesPerSecondMax, messagesPerSecondMax }: Limits) {
    this.#framesPerSecondMax = Math.max(framesPerSecondMax, 2 * messagesPerSecondMax);
    this.#bytesPerSecondMax = bytesPerSecondMax;
  }

  /** Counts one frame with this many bytes of payload. */
  take(inbound: Inbound, payloadBytes: number, nowMs: number): InboundVerdict {
    // A wall clock that steps back gives nothing and takes nothing.
    const elapsedSeconds = Math.max(0, nowMs - inbound.inboundAtMs) / 1000;
    inbound.inboundAtMs = nowMs;
    const frames = Math.min(this.#framesPerSecondMax * 2, inbound.frameTokens + elapsedSeconds * this.#framesPerSecondMax) - 1;
    const bytesFull = this.#bytesPerSecondMax * 2;
    const bytes = Math.min(bytesFull, inbound.byteTokens + elapsedSeconds * this.#bytesPerSecondMax) - payloadBytes - FRAME_OVERHEAD_BYTES;
    inbound.frameTokens = frames;
    inbound.byteTokens = bytes;
    if (frames < 0 || bytes < -bytesFull) return 'flood';
    return bytes < 0 ? 'tooManyBytes' : 'ok';
  }

  /** Milliseconds until the debt is paid. */
  retryAfterMs({ byteTokens }: Inbound): number {
    return Math.max(1, Math.ceil((-byteTokens / this.#bytesPerSecondMax) * 1000));
  }
}
