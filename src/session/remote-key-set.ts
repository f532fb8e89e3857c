import type { Config } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { readKeySet, type VerificationKey } from './verification-key.ts';

/** The token settings: the operator's, and `tuning.auth`. */
export type AuthSettings = Config['auth'] & Config['tuning']['auth'];

const FETCH_TIMEOUT_MS = 5000;
/** First pause after a failed fetch; it doubles up to `tuning.auth.jwksCooldownMs`. */
const RETRY_PAUSE_MS = 1000;
/** A key with a certificate chain has some 8 KiB. */
const BYTES_PER_KEY_MAX = 16_384;

export interface RemoteKeySetOptions {
  readonly auth: AuthSettings;
  readonly logger: Logger;
  /** Called after every fetch. */
  readonly onFetch?: (result: 'ok' | 'failed') => void;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs?: () => number;
}

/**
 * The keys at `auth.jwksUrl`. They are fetched at start, again every `auth.jwksMaxAgeMs`, and besides that for a token with an unknown key, at most once in
 * `tuning.auth.jwksCooldownMs`: whoever invents keys can cause no more fetches than that. While the URL cannot be fetched, the last fetched keys are used for `auth.jwksKeepMs`. After that, as before the first fetch,
 * every token is `unavailable`, and until then tokens of unknown keys are. A failing URL is requested only by retries, never because of tokens, so a storm of connects does not reach it.
 */
export class RemoteKeySet {
  readonly #options: RemoteKeySetOptions;
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  readonly #stopping = new AbortController();
  #keys: readonly VerificationKey[] | undefined;
  #fetchedMs: number;
  #askedForTokenMs = Number.NEGATIVE_INFINITY;
  #readFromMs = 0;
  #failures = 0;
  #outlivedTold = false;
  #fetching: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#startedMs = this.#nowMs();
    this.#fetchedMs = this.#startedMs;
  }

  /** Since the keys were last fetched; before the first fetch, since the start. */
  get ageMs(): number {
    return this.#nowMs() - this.#fetchedMs;
  }

  /** Wall clock time at which the fetch of the known keys began. Keys that were published later may be missing. */
  get readFromMs(): number {
    return this.#readFromMs;
  }

  /** The last fetch failed: there may be keys that are not known. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  start(): void {
    void this.#fetch();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopping.abort();
  }

  /** The known keys. Waits for the first fetch. @throws ProtocolError `unavailable` */
  async keys(): Promise<readonly VerificationKey[]> {
    if (this.#keys === undefined) await this.#fetching;
    if (this.#keys === undefined || this.#areOutlived()) {
      throw new ProtocolError('unavailable', 'the key set cannot be fetched now');
    }
    return this.#keys;
  }

  /** Whether the keys are too old to be used. Logs it once, because from now on their tokens are refused. */
  #areOutlived(): boolean {
    const { auth, logger } = this.#options;
    if (this.#keys === undefined || this.ageMs <= auth.jwksKeepMs) return false;
    if (!this.#outlivedTold) {
      logger.error(
        { ageMs: Math.round(this.ageMs) },
        'the last keys of auth.jwksUrl are older than auth.jwksKeepMs: their tokens are refused',
      );
      this.#outlivedTold = true;
    }
    return true;
  }

  /** Keys fetched after `known`, for a token that none of those has signed; undefined if there are none, and too little time has passed to fetch for a token again. */
  async newerThan(known: readonly VerificationKey[]): Promise<readonly VerificationKey[] | undefined> {
    if (this.#keys === known && this.#mayFetchForToken()) await this.#fetch();
    return this.#keys === known ? undefined : this.#keys;
  }

  #mayFetchForToken(): boolean {
    if (this.#fetching !== undefined) return true;
    const nowMs = this.#nowMs();
    if (this.isFailing || nowMs - this.#askedForTokenMs < this.#options.auth.jwksCooldownMs) return false;
    this.#askedForTokenMs = nowMs;
    return true;
  }

  /** One fetch at a time; callers meanwhile wait for the same. Never rejects. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    const { auth, logger, onFetch } = this.#options;
    clearTimeout(this.#timer);
    const beganAtMs = Date.now();
    try {
      const json = await fetchJson(auth.jwksUrl, auth.jwksKeysMax * BYTES_PER_KEY_MAX, this.#stopping.signal);
      this.#keys = await readKeySet(json, { algorithms: auth.jwksAlgorithms, keysMax: auth.jwksKeysMax });
      this.#fetchedMs = this.#nowMs();
      this.#readFromMs = beganAtMs;
      if (this.#failures > 0) logger.info({ keys: this.#keys.length }, 'the key set can be fetched again');
      this.#failures = 0;
      this.#outlivedTold = false;
      onFetch?.('ok');
      this.#schedule(auth.jwksMaxAgeMs);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      // Logged once; the age of the keys is in a metric.
      if (this.#failures === 0) {
        const why = reasonOf(error as Error);
        logger.warn({ url: withoutQuery(auth.jwksUrl), why, keysKnown: this.#keys?.length ?? 0 }, 'the key set cannot be fetched');
      }
      this.#areOutlived();
      onFetch?.('failed');
      this.#schedule(Math.min(auth.jwksCooldownMs, RETRY_PAUSE_MS * 2 ** Math.min(this.#failures++, 10)));
    }
  }

  #schedule(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#fetch(), ms).unref();
  }
}

/** `fetch` only reports that it failed. For `localhost`, which has two addresses, the cause has a code and no message. */
function reasonOf(error: Error): string {
  const { message = '', code = '' } = (error.cause ?? {}) as Partial<NodeJS.ErrnoException>;
  return message || code || error.message;
}

/** A query may contain a secret. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** @throws Error if there is no answer, it is not 200, or it is not JSON within `bytesMax` */
async function fetchJson(url: string, bytesMax: number, stopping: AbortSignal): Promise<unknown> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
  const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json, application/jwk-set+json' } });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}, not 200`);
  }
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes > bytesMax) throw new Error(`the answer has more than ${bytesMax} bytes: raise tuning.auth.jwksKeysMax`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
