import type { Logger } from '../telemetry/log.ts';
import type { HttpResponse } from './uws.ts';

/** Of all handshakes that one address may have open: whoever holds all of its own leaves the others' to them. */
const ADDRESS_SHARE = 0.75;
/** Of the bound; accepting goes on below it. */
const RESUME_SHARE = 0.75;
/** Descriptors that stay free: for files, for the listening sockets themselves, and for what is opened between two looks. */
const DESCRIPTORS_FREE_MIN = 24;
const WARN_INTERVAL_MS = 10_000;

export interface GateOptions {
  /** Connections that have been accepted and are not WebSockets yet. */
  readonly handshakesMax: number;
  /** Who has waited for so long may be cut. A request follows its connection at once; a second is a lost packet, sent again. */
  readonly handshakeGraceMs: number;
  /** Undefined: none is known. */
  readonly descriptorLimit: number | undefined;
  /** Undefined: it cannot be told at this price. */
  readonly descriptorsOpen: (count: boolean) => number | undefined;
  /** WebSockets that are open. */
  readonly connections: () => number;
  /** `resume` says whether it listens. */
  readonly listener: { pause(): void; resume(): boolean };
  readonly metrics: GateMetrics;
  readonly logger: Pick<Logger, 'warn'>;
  /** A clock that never steps back. */
  readonly nowMs?: () => number;
}

export interface GateMetrics {
  readonly upgradesUnfinished: { inc(): void };
  readonly acceptPauses: { inc(): void };
  readonly handshakesRefused: { inc(): void };
}

type Accepted = Pick<HttpResponse, 'getRemoteAddress' | 'onAborted' | 'close'>;

interface Waiting {
  readonly res: Accepted;
  readonly atMs: number;
}

/** One address's handshakes. */
interface Address {
  count: number;
  /**
   * Those that surely wait still, oldest first: nothing was requested from this address since they came. uWebSockets shows each connection as another
   * object at its request, so one of several cannot be told; and what has been upgraded must not be touched by the object that it had before.
   */
  readonly waiting: Set<Waiting>;
}

/**
 * Who has been accepted and has not made an upgrade request yet: half-open requests, which hold a descriptor each. uWebSockets ends them after 8 to 12 s,
 * however slowly they trickle; until then their number is bounded. At the bound those that have waited for long make room. Where that is not enough,
 * and before descriptors run out, the worker stops listening: an accept that fails for want of a descriptor is tried again at once and for ever
 * (`us_internal_dispatch_ready_poll`), which takes a whole core.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #nowMs: () => number;
  readonly #handshakesMax: number;
  readonly #perAddressMax: number;
  readonly #byAddress = new Map<string, Address>();
  #handshakes = 0;
  /** Descriptors that are neither handshakes nor connections, as of the last look. */
  #otherDescriptors = 0;
  #paused = false;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GateOptions) {
    const { handshakesMax, descriptorLimit } = options;
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#handshakesMax = Math.max(1, Math.min(handshakesMax, Math.floor((descriptorLimit ?? Number.POSITIVE_INFINITY) / 4)));
    this.#perAddressMax = Math.max(1, Math.floor(this.#handshakesMax * ADDRESS_SHARE));
    this.#look(true);
  }

  get handshakes(): number {
    return this.#handshakes;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** uWebSockets calls this when it has accepted a connection (1), and when one ends that was never upgraded (-1). */
  readonly filter = (res: Accepted, change: number): void => {
    if (change < 0) return this.#left();
    this.#handshakes++;
    const key = addressOf(res);
    const address = this.#byAddress.get(key) ?? { count: 0, waiting: new Set() };
    this.#byAddress.set(key, address);
    address.count++;
    const waiting = { res, atMs: this.#nowMs() };
    address.waiting.add(waiting);
    res.onAborted(() => {
      this.#options.metrics.upgradesUnfinished.inc();
      address.waiting.delete(waiting);
      this.#forget(key);
    });
    if (address.count > this.#perAddressMax) this.#cutLate([address]);
    if (address.count > this.#perAddressMax) {
      this.#options.metrics.handshakesRefused.inc();
      res.close();
    } else if (this.#isFull()) {
      this.#cutLate(this.#byAddress.values());
      if (this.#isFull()) this.#pause();
    }
  };

  /** Its request is whole. What is not upgraded now is answered, and its connection ends. */
  requested(res: Accepted): void {
    const key = addressOf(res);
    if (key === '') {
      // Gone already, and its address with it: it may be any.
      for (const { waiting } of this.#byAddress.values()) waiting.clear();
      return;
    }
    this.#byAddress.get(key)?.waiting.clear();
    this.#forget(key);
  }

  /** It is a WebSocket now, and counted among the connections. */
  upgraded(): void {
    this.#left();
  }

  /** Once a second. */
  tick(): void {
    this.#look(false);
    if (!this.#paused && !this.#isFull()) return;
    this.#cutLate(this.#byAddress.values());
    if (this.#paused) this.#resumeIfRoom();
    else if (this.#isFull()) this.#pause();
  }

  #look(count: boolean): void {
    const open = this.#options.descriptorsOpen(count);
    if (open !== undefined) this.#otherDescriptors = Math.max(0, open - this.#handshakes - this.#options.connections());
  }

  /** Connections that descriptors leave room for, beside those that there are. */
  #room(): number {
    const { descriptorLimit, connections } = this.#options;
    if (descriptorLimit === undefined) return Number.POSITIVE_INFINITY;
    return descriptorLimit - DESCRIPTORS_FREE_MIN - this.#otherDescriptors - this.#handshakes - connections();
  }

  #isFull(): boolean {
    return this.#handshakes >= this.#handshakesMax || this.#room() <= 0;
  }

  #left(): void {
    this.#handshakes--;
    // Also forgets those whose address could not be told any more when their request came.
    if (this.#handshakes === 0) this.#byAddress.clear();
    if (this.#paused) setImmediate(() => this.#resumeIfRoom());
  }

  #forget(key: string): void {
    const address = this.#byAddress.get(key);
    if (address !== undefined && --address.count <= 0) this.#byAddress.delete(key);
  }

  /** Cuts who has waited for longer than a request takes to come. */
  #cutLate(addresses: Iterable<Address>): void {
    const lateMs = this.#nowMs() - this.#options.handshakeGraceMs;
    for (const { waiting } of addresses) {
      for (const { res, atMs } of waiting) {
        if (atMs > lateMs) break;
        res.close();
      }
    }
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#options.metrics.acceptPauses.inc();
    this.#options.listener.pause();
    const nowMs = this.#nowMs();
    if (nowMs - this.#warnedAtMs < WARN_INTERVAL_MS) return;
    this.#warnedAtMs = nowMs;
    const figures = { handshakes: this.#handshakes, handshakesMax: this.#handshakesMax, descriptorsLeft: this.#room() };
    this.#options.logger.warn(figures, 'no connections are accepted for now: too many handshakes wait, or descriptors run out');
  }

  #resumeIfRoom(): void {
    // Not at the first one that leaves: each change closes and opens all listening sockets.
    if (!this.#paused || this.#handshakes > this.#handshakesMax * RESUME_SHARE || this.#room() < DESCRIPTORS_FREE_MIN) return;
    this.#paused = !this.#options.listener.resume();
  }
}

const MAPPED_V4 = Buffer.from('00000000000000000000ffff', 'hex');

/** IPv4 as it is, also where IPv6 carries it; of IPv6 the first half, since one subscriber has all of the rest. */
function addressOf(res: Accepted): string {
  const bytes = Buffer.from(res.getRemoteAddress());
  if (bytes.length !== 16) return bytes.toString('latin1');
  return (bytes.subarray(0, 12).equals(MAPPED_V4) ? bytes.subarray(12) : bytes.subarray(0, 8)).toString('latin1');
}
