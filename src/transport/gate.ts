import type { Config } from '../config/schema.ts';
import { shareOf } from '../config/share.ts';
import type { Logger } from '../telemetry/log.ts';
import { AcceptTurns } from './accept-turns.ts';
import { addressOf } from './address.ts';
import type { HttpResponse } from './uws.ts';

/** Share of the limit below which accepting continues. */
const RESUME_SHARE = 0.75;
/** Descriptors that stay free: for files, for the listening sockets themselves, and for what is opened between two checks. */
const DESCRIPTORS_FREE_MIN = 24;
const WARN_INTERVAL_MS = 10_000;

export interface GateOptions {
  /** Maximum number of connections that have been accepted and are not WebSockets yet. */
  readonly handshakesMax: number;
  readonly limits: Pick<Config['limits'], 'sharePercentMax'>;
  /** In a loop turn. */
  readonly acceptsPerTurnMax: number;
  /**
   * After waiting this long, a connection may be cut. A request normally follows its connection immediately; a second allows for a lost packet that is sent
   * again.
   */
  readonly handshakeGraceMs: number;
  /** Undefined: there is no known limit. */
  readonly descriptorLimit: number | undefined;
  /** Undefined: too expensive to determine. */
  readonly descriptorsOpen: (count: boolean) => number | undefined;
  /** WebSockets that are open. */
  readonly connections: () => number;
  /** `resume` returns whether it listens. */
  readonly listener: { pause(): void; resume(): boolean };
  readonly metrics: GateMetrics;
  readonly logger: Pick<Logger, 'warn'>;
  /** A monotonic clock. */
  readonly nowMs?: () => number;
}

export interface GateMetrics {
  readonly upgradesUnfinished: { inc(): void };
  readonly acceptPauses: { inc(): void };
  readonly handshakesRefused: { inc(): void };
}

type Accepted = Pick<HttpResponse, 'getRemoteAddress' | 'onAborted' | 'close' | 'pause' | 'resume'>;
/** As of its request: another object. */
type Requested = Pick<HttpResponse, 'getRemoteAddress'>;

interface Waiting {
  readonly res: Pick<Accepted, 'close'>;
  readonly atMs: number;
}

/** The handshakes of one address. */
interface Address {
  count: number;
  /**
   * Those that certainly still wait, oldest first: no request came from this address since their turn. uWebSockets represents each connection by
   * another object at its request, so of several connections the right one is unknown; and an upgraded connection must not be touched through its old object.
   */
  readonly waiting: Set<Waiting>;
}

/**
 * Bounds half-open requests: connections that have been accepted and have not sent an upgrade request yet; each uses a descriptor. uWebSockets ends them after
 * 8 to 12 s, even if bytes arrive slowly. Until then their number is bounded. At the limit, those that have waited for long are cut. If that is not enough, and
 * before descriptors run out, the worker stops listening: an accept that fails because of missing descriptors is retried immediately and without end
 * (`us_internal_dispatch_ready_poll`), which takes a whole core.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #nowMs: () => number;
  readonly #handshakesMax: number;
  readonly #perAddressMax: number;
  readonly #turns: AcceptTurns;
  readonly #byAddress = new Map<string, Address>();
  /** Connections of uWebSockets that are not WebSockets; streams of events among them. */
  #unupgraded = 0;
  #streams = 0;
  /** Descriptors that are neither handshakes nor connections, as of the last check. */
  #otherDescriptors = 0;
  #paused = false;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GateOptions) {
    const { handshakesMax, descriptorLimit } = options;
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#handshakesMax = Math.max(1, Math.min(handshakesMax, Math.floor((descriptorLimit ?? Number.POSITIVE_INFINITY) / 4)));
    this.#perAddressMax = shareOf(options.limits, this.#handshakesMax);
    this.#turns = new AcceptTurns(options.acceptsPerTurnMax);
    this.#look(true);
  }

  get handshakes(): number {
    return this.#unupgraded - this.#streams;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** uWebSockets calls this when it has accepted a connection (1), and when one that was never upgraded ends (-1). */
  readonly filter = (res: Accepted, change: number): void => {
    if (change < 0) return this.#left();
    this.#unupgraded++;
    const key = addressOf(res);
    const address = this.#byAddress.get(key) ?? { count: 0, waiting: new Set() };
    this.#byAddress.set(key, address);
    address.count++;
    let waiting: Waiting | undefined;
    const leaveLine = this.#turns.accepted(key, res, () => {
      waiting = { res, atMs: this.#nowMs() };
      address.waiting.add(waiting);
    });
    res.onAborted(() => {
      this.#options.metrics.upgradesUnfinished.inc();
      leaveLine?.();
      if (waiting !== undefined) address.waiting.delete(waiting);
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

  /** Its request is complete. If it is not upgraded now, it is answered, and its connection ends. */
  requested(res: Requested): void {
    const key = addressOf(res);
    if (key === '') {
      // It has already closed, so its address is unknown.
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

  /** Its request is answered with a stream of events: it is counted among the connections. */
  streamBegan(): void {
    this.#streams++;
  }

  /** The stream has ended. Its connection has too, or is one that ends. */
  streamEnded(): void {
    this.#streams--;
    if (this.#paused) setImmediate(() => this.#resumeIfRoom());
  }

  /** Called once a second. */
  tick(): void {
    this.#look(false);
    if (!this.#paused && !this.#isFull()) return;
    this.#cutLate(this.#byAddress.values());
    if (this.#paused) this.#resumeIfRoom();
    else if (this.#isFull()) this.#pause();
  }

  #look(count: boolean): void {
    const open = this.#options.descriptorsOpen(count);
    if (open !== undefined) this.#otherDescriptors = Math.max(0, open - this.handshakes - this.#options.connections());
  }

  /** Number of further connections that the descriptors permit. */
  #room(): number {
    const { descriptorLimit, connections } = this.#options;
    if (descriptorLimit === undefined) return Number.POSITIVE_INFINITY;
    return descriptorLimit - DESCRIPTORS_FREE_MIN - this.#otherDescriptors - this.handshakes - connections();
  }

  #isFull(): boolean {
    return this.handshakes >= this.#handshakesMax || this.#room() <= 0;
  }

  #left(): void {
    this.#unupgraded--;
    // Also drops those whose address was no longer known when their request came.
    if (this.handshakes === 0) this.#byAddress.clear();
    if (this.#paused) setImmediate(() => this.#resumeIfRoom());
  }

  #forget(key: string): void {
    const address = this.#byAddress.get(key);
    if (address !== undefined && --address.count <= 0) this.#byAddress.delete(key);
  }

  /** Cuts connections that have waited for longer than a request takes to arrive. */
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
    const figures = { handshakes: this.handshakes, handshakesMax: this.#handshakesMax, descriptorsLeft: this.#room() };
    this.#options.logger.warn(figures, 'stopped accepting connections: too many open handshakes, or too few descriptors');
  }

  #resumeIfRoom(): void {
    // Not as soon as one leaves, because each change closes and opens all listening sockets.
    if (!this.#paused || this.handshakes > this.#handshakesMax * RESUME_SHARE || this.#room() < DESCRIPTORS_FREE_MIN) return;
    this.#paused = !this.#options.listener.resume();
  }
}
