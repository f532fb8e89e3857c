import type { Config } from '../config/schema.ts';

/** What one connection may still send, as two token buckets; fields of the connection, so that a limit costs no object. */
export interface Inbound {
  frameTokens: number;
  byteTokens: number;
  inboundAtMs: number;
}

type Limits = Pick<Config['limits'] & Config['tuning']['commands'], 'framesPerSecondMax' | 'bytesPerSecondMax' | 'messagesPerSecondMax'>;

/** `tooManyBytes`: a message is refused unread. `flood`: the connection is closed. */
export type InboundVerdict = 'ok' | 'tooManyBytes' | 'flood';

/** Header and mask of a small frame from a client; more precision would cost more than it tells. */
const FRAME_OVERHEAD_BYTES = 6;

/**
 * Bounds what a connection sends: frames, control frames among them, and bytes. Both buckets hold two seconds' worth. Past that a frame is a flood, since
 * messages have a lower limit of their own, which says `rate_limited`. Bytes run into debt first: a client that sends large messages too fast is told so,
 * and closed when it goes on for as much again.
 *
 * Only whole frames with a handler are seen. uWebSockets keeps fragments to itself until their message ends, and empty ones cost it nothing to keep.
 */
export class InboundLimits {
  readonly #framesPerSecondMax: number;
  readonly #bytesPerSecondMax: number;

  constructor({ framesPerSecondMax, bytesPerSecondMax, messagesPerSecondMax }: Limits) {
    this.#framesPerSecondMax = Math.max(framesPerSecondMax, 2 * messagesPerSecondMax);
    this.#bytesPerSecondMax = bytesPerSecondMax;
  }

  /** Takes one frame with so many bytes of payload. */
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

  /** When the debt is paid. */
  retryAfterMs({ byteTokens }: Inbound): number {
    return Math.max(1, Math.ceil((-byteTokens / this.#bytesPerSecondMax) * 1000));
  }
}
