import { type ClockEstimate, nowMs } from './clock.ts';
import { CommandError } from './errors.ts';
import { getToken, type Settings } from './options.ts';
import type { Requests } from './requests.ts';
import { Timer } from './timer.ts';

/** Maximum time before its end at which a token is refreshed. A short-lived token is refreshed in the last quarter of its life. */
const LEAD_MS_MAX = 30_000;
const LEAD_SHARE = 0.25;
const RETRY_MS_MIN = 1000;

/**
 * When to refresh a token that expires in `leftMs`: between one lead and half a lead before, at random, because tokens that were created at the same time
 * expire at the same time. @param random in [0, 1)
 */
export function refreshDelayMs(leftMs: number, random: number): number {
  const leadMs = Math.min(LEAD_MS_MAX, leftMs * LEAD_SHARE);
  return Math.max(0, leftMs - leadMs * (1 - random / 2));
}

/**
 * Gets a new token before the old one expires, and sends it to the server on the same connection. A token given as text is not refreshed, because there is no
 * other.
 */
export class TokenRefresher {
  readonly #settings: Pick<Settings, 'token' | 'requestTimeoutMs'>;
  readonly #requests: Requests;
  readonly #clock: ClockEstimate;
  readonly #onError: (error: unknown) => void;
  readonly #timer = new Timer(() => void this.#refresh());
  #expiresAtMs = 0;
  /** Counts connections and refreshes, so that late results of earlier ones can be ignored. */
  #turn = 0;

  constructor(
    settings: Pick<Settings, 'token' | 'requestTimeoutMs'>,
    requests: Requests,
    clock: ClockEstimate,
    onError: (error: unknown) => void,
  ) {
    this.#settings = settings;
    this.#requests = requests;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** @param expiresAtMs by the server's clock */
  connected(expiresAtMs: number | undefined): void {
    this.stop();
    if (expiresAtMs === undefined || typeof this.#settings.token !== 'function') return;
    this.#expiresAtMs = expiresAtMs;
    this.#timer.set(refreshDelayMs(this.#leftMs, Math.random()));
  }

  /** The estimate of the server's clock has changed. */
  clockChanged(): void {
    if (this.#timer.isSet) this.#timer.set(refreshDelayMs(this.#leftMs, Math.random()));
  }

  stop(): void {
    this.#turn++;
    this.#timer.clear();
  }

  get #leftMs(): number {
    return this.#expiresAtMs - nowMs() - (this.#clock.offsetMs ?? 0);
  }

  async #refresh(): Promise<void> {
    const turn = this.#turn;
    const { token: source, requestTimeoutMs: timeoutMs } = this.#settings;
    try {
      const token = await getToken(source);
      if (turn !== this.#turn || token === undefined) return;
      const { expiresAtMs } = await this.#requests.ask({ type: 'refresh', token }, { timeoutMs });
      if (turn === this.#turn) this.connected(expiresAtMs);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#onError(error);
      // If the server refuses it permanently, the connection ends with the old token, and the next connection gets another.
      const hopeless = error instanceof CommandError && !error.retryable;
      if (!hopeless && this.#leftMs > RETRY_MS_MIN) this.#timer.set(Math.max(RETRY_MS_MIN, refreshDelayMs(this.#leftMs, Math.random())));
    }
  }
}
