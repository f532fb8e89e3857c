import type { Bus } from '../../bus/bus.ts';
import { keptKey } from '../../bus/revocation-store.ts';
import type { Config } from '../../config/schema.ts';
import type { HubEnd } from '../../link/link.ts';
import type { Revocation } from '../../link/orders.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import { toProtocolError } from '../failure.ts';

/** A new revocation is already stored, but a read that began before may not include it. It stays for this time. */
const SURELY_READ_MS = 60_000;
/** Interval between two reads of the stored revocations, which other programs may have changed; and pause after a failed read. */
const READ_INTERVAL_MS = 30_000;
const RETRY_MS = 1000;

export interface RevocationsOptions {
  readonly config: Pick<Config, 'auth' | 'tuning'>;
  readonly bus: Pick<Bus, 'revocations' | 'onConnectedChange' | 'connected'>;
  readonly logger: Logger;
  readonly workers: ReadonlySet<HubEnd>;
  /** Makes the workers end the connections of new revocations. @returns how many */
  readonly revoke: (revocations: readonly Revocation[]) => Promise<number>;
  readonly nowMs?: () => number;
}

/**
 * The revoked tokens. The bus stores them for as long as a token may live. They are read at the start and after each reconnect, and sent to every worker. Above
 * `tuning.auth.revocationsMax` the oldest are forgotten here.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #mode: Config['auth']['revocations'];
  /** Oldest first. */
  readonly #known = new Map<string, { readonly revocation: Revocation; readonly atMs: number }>();
  readonly #nowMs: () => number;
  readonly #stopWatchingBus: () => void;
  /** All stored revocations have been read. */
  #complete = false;
  #timer: NodeJS.Timeout | undefined;
  /** The last revocation that the workers were told. They carry them out in turn, so then all are carried out. */
  #revoking: Promise<number> | undefined;
  #warned = false;
  #stopped = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#mode = options.config.auth.revocations;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#complete = this.#mode === 'off';
    this.#stopWatchingBus = options.bus.onConnectedChange((connected) => {
      if (connected) this.#readSoon(0);
    });
    if (this.#mode !== 'off') this.#readSoon(0);
  }

  get size(): number {
    return this.#known.size;
  }

  /** Sends a new worker all revocations. */
  tell(worker: HubEnd): void {
    if (this.#mode === 'off') return;
    worker.send({
      kind: 'revocations',
      revocations: [...this.#known.values()].map(({ revocation }) => revocation),
      complete: this.#complete,
    });
  }

  /** @throws ProtocolError `unsupported`, `unavailable`, and other errors of the bus */
  async keep(revocation: Revocation): Promise<void> {
    if (this.#mode === 'off') throw new ProtocolError('unsupported', 'auth.revocations is off');
    try {
      await this.#options.bus.revocations.put(revocation);
    } catch (error) {
      throw toProtocolError(error as Error);
    }
  }

  /** @returns the number of connections that it ended on this node, once the workers have carried it out */
  async add(revocation: Revocation): Promise<number> {
    if (this.#mode === 'off') return 0;
    if (this.#remember(revocation)) return this.#revoke([revocation]);
    // Another order or a read may have brought it just now.
    await this.#revoking;
    return 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#stopWatchingBus();
    clearTimeout(this.#timer);
  }

  #revoke(revocations: readonly Revocation[]): Promise<number> {
    this.#revoking = this.#options.revoke(revocations);
    return this.#revoking;
  }

  /** @returns false if it adds nothing new */
  #remember(revocation: Revocation): boolean {
    const key = keptKey(revocation);
    const known = this.#known.get(key)?.revocation;
    if (known !== undefined && !('user' in revocation && 'user' in known && revocation.issuedBeforeMs > known.issuedBeforeMs)) return false;
    this.#known.delete(key);
    this.#known.set(key, { revocation, atMs: this.#nowMs() });
    const { revocationsMax } = this.#options.config.tuning.auth;
    if (this.#known.size <= revocationsMax) return true;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest as string);
    this.#warnOnce(`more than ${revocationsMax} revocations are kept: the oldest are forgotten (tuning.auth.revocationsMax)`);
    return true;
  }

  /** Forgets revocations that are no longer stored: the tokens have expired, or somebody removed the revocation. @returns true if any was forgotten */
  #forgetAllBut(kept: readonly Revocation[]): boolean {
    const keys = new Set(kept.map(keptKey));
    const before = this.#known.size;
    const sinceMs = this.#nowMs() - SURELY_READ_MS;
    for (const [key, { atMs }] of this.#known) if (!keys.has(key) && atMs < sinceMs) this.#known.delete(key);
    return this.#known.size < before;
  }

  #readSoon(pauseMs: number): void {
    if (this.#mode === 'off') return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), pauseMs);
  }

  async #read(): Promise<void> {
    try {
      const kept = await this.#options.bus.revocations.all();
      if (this.#stopped) return;
      const news = kept.filter((revocation) => this.#remember(revocation));
      const fewer = this.#forgetAllBut(kept);
      this.#warned = false;
      const first = !this.#complete;
      this.#complete = true;
      if (news.length > 0) await this.#revoke(news);
      if (first || fewer) for (const worker of this.#options.workers) this.tell(worker);
      this.#readSoon(READ_INTERVAL_MS);
    } catch (error) {
      if (this.#stopped) return;
      this.#warnOnce(`revoked tokens cannot be read: ${(error as Error).message}`);
      this.#readSoon(RETRY_MS);
    }
  }

  #warnOnce(text: string): void {
    if (!this.#warned) this.#options.logger.warn(text);
    this.#warned = true;
  }
}
