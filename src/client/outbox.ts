import type { ServerMessage } from '../protocol/messages.ts';
import { nowMs } from './clock.ts';
import { Pacer } from './pacer.ts';
import { Timer } from './timer.ts';

/** As the server says in `connected`. */
type Limits = Pick<ServerMessage<'connected'>['limits'], 'messagesPerSecondMax' | 'bytesPerSecondMax'>;

/** Frames on their way out of one connection, no faster than the server takes them. Bounded by those who ask: requests and publishes have bounds of their own. */
export class Outbox {
  readonly #pacer: Pacer;
  readonly #send: (frame: Uint8Array) => void;
  readonly #timer = new Timer(() => this.#flush());
  #waiting: Uint8Array[] = [];

  constructor({ messagesPerSecondMax, bytesPerSecondMax }: Limits, send: (frame: Uint8Array) => void) {
    this.#pacer = new Pacer(messagesPerSecondMax, nowMs(), bytesPerSecondMax);
    this.#send = send;
  }

  push(frame: Uint8Array): void {
    this.#waiting.push(frame);
    if (!this.#timer.isSet) this.#flush();
  }

  /** Sends now or not at all. */
  offer(frame: Uint8Array): boolean {
    if (this.#waiting.length > 0 || this.#pacer.take(nowMs(), frame.length) > 0) return false;
    this.#send(frame);
    return true;
  }

  pause(ms: number): void {
    if (Number.isFinite(ms)) this.#pacer.pause(nowMs() + ms);
  }

  stop(): void {
    this.#timer.clear();
    this.#waiting = [];
  }

  #flush(): void {
    let sent = 0;
    for (const frame of this.#waiting) {
      const waitMs = this.#pacer.take(nowMs(), frame.length);
      if (waitMs > 0) {
        this.#timer.set(waitMs);
        break;
      }
      this.#send(frame);
      sent++;
    }
    this.#waiting.splice(0, sent);
  }
}
