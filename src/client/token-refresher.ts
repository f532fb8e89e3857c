import type { ServerMessage } from '../protocol/messages.ts';
import { CommandError } from './errors.ts';
import { getToken, type TokenSource } from './options.ts';
import { Timer } from './timer.ts';

export interface RefresherOptions {
  readonly token: TokenSource;
  refresh(token: string): Promise<ServerMessage<'refreshed'>>;
  serverNowMs(): number;
  onError(error: unknown): void;
}

/** A token is refreshed so long before its end at most; a shorter-lived one in the last quarter of its life. */
const LEAD_MS_MAX = 30_000;
const LEAD_SHARE = 0.25;
const RETRY_MS_MIN = 1000;

/**
 * When to refresh a token that ends in `leftMs`: between a whole and half a lead before, at random, since tokens that were made together end together.
 * @param random in [0, 1)
 */
export function refreshDelayMs(leftMs: number, random: number): number {
  const leadMs = Math.min(LEAD_MS_MAX, leftMs * LEAD_SHARE);
  return Math.max(0, leftMs - leadMs * (1 - random / 2));
}

/** Gets a new token before the old one expires, and tells the server on the same connection. Texts are not refreshed: there is no other. */
export class TokenRefresher {
  readonly #options: RefresherOptions;
  readonly #timer = new Timer(() => void this.#refresh());
  #expiresAtMs = 0;
  /** Counts connections and refreshes, so that what comes late from an earlier one is known. */
  #turn = 0;

  constructor(options: RefresherOptions) {
    this.#options = options;
  }

  /** @param expiresAtMs by the server's clock */
  connected(expiresAtMs: number | undefined): void {
    this.stop();
    if (expiresAtMs === undefined || typeof this.#options.token !== 'function') return;
    this.#expiresAtMs = expiresAtMs;
    this.#timer.set(refreshDelayMs(this.#leftMs, Math.random()));
  }

  /** The server's clock is not what it was thought to be. */
  clockChanged(): void {
    if (this.#timer.isSet) this.#timer.set(refreshDelayMs(this.#leftMs, Math.random()));
  }

  stop(): void {
    this.#turn++;
    this.#timer.clear();
  }

  get #leftMs(): number {
    return this.#expiresAtMs - this.#options.serverNowMs();
  }

  async #refresh(): Promise<void> {
    const turn = this.#turn;
    try {
      const token = await getToken(this.#options.token);
      if (turn !== this.#turn || token === undefined) return;
      const { expiresAtMs } = await this.#options.refresh(token);
      if (turn === this.#turn) this.connected(expiresAtMs);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#options.onError(error);
      // What the server refuses for good ends with the old token: the next connection asks for another.
      const hopeless = error instanceof CommandError && !error.retryable;
      if (!hopeless && this.#leftMs > RETRY_MS_MIN) this.#timer.set(Math.max(RETRY_MS_MIN, refreshDelayMs(this.#leftMs, Math.random())));
    }
  }
}
