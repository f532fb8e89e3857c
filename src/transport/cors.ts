import type { Config } from '../config/schema.ts';

/** How long a browser may remember the answer to a preflight. Chromium remembers at most two hours. */
const PREFLIGHT_SECONDS = 7200;
const REQUEST_HEADERS = 'Authorization, Content-Type, Last-Event-ID';

export type Headers = Readonly<Record<string, string>>;

/** Which pages may use the clients' port: `allowedOrigins`, for WebSockets and for other requests. */
export class Origins {
  readonly #allowed: ReadonlySet<string>;
  readonly #allowsAll: boolean;

  constructor({ allowedOrigins }: Pick<Config, 'allowedOrigins'>) {
    this.#allowed = new Set(allowedOrigins);
    this.#allowsAll = allowedOrigins.length === 0 || this.#allowed.has('*');
  }

  /** A request without an origin does not come from a page. */
  allows(origin: string): boolean {
    return this.#allowsAll || origin === '' || this.#allowed.has(origin);
  }

  /** With these headers the page may read the answer. Cookies are never used, so every page may be named by `*`. */
  headers(origin: string): Headers {
    if (this.#allowsAll) return { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Retry-After' };
    const named = origin !== '' && this.allows(origin);
    return { Vary: 'Origin', ...(named && { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': 'Retry-After' }) };
  }

  /** For the question that a browser asks before a request with a token. */
  preflight(origin: string, methods: string): Headers {
    return {
      ...this.headers(origin),
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': REQUEST_HEADERS,
      'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
    };
  }
}
