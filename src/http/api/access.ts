import { createHash, timingSafeEqual } from 'node:crypto';
import { ALL_SCOPES, adminTokensOf, contentOf, readTokenFile, type Scope } from '../../config/admin-tokens.ts';
import type { Config } from '../../config/schema.ts';
import type { Logger } from '../../telemetry/log.ts';

/** Files are read again after this time, so that a token can be replaced without a restart. */
const READ_AGAIN_MS = 1000;

interface KnownToken {
  /** The same after its file was replaced. */
  readonly name: string;
  digest: Buffer;
  readonly scopes: readonly Scope[];
  readonly file: string | undefined;
}

export interface ApiTokensOptions {
  readonly admin: Config['admin'];
  readonly logger: Logger;
  /** Milliseconds, from any origin. */
  readonly nowMs?: () => number;
}

/** What a request may do, and whom it is counted for. */
export interface Grant {
  readonly scopes: readonly Scope[];
  /** The token: never its text. */
  readonly caller: string;
}

/** Which tokens there are, and what each permits. */
export class ApiTokens {
  readonly #tokens: readonly KnownToken[];
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  #readAtMs: number;
  #warned = false;

  /** @throws Error when a file cannot be used */
  constructor({ admin, logger, nowMs = () => performance.now() }: ApiTokensOptions) {
    this.#logger = logger;
    this.#nowMs = nowMs;
    this.#readAtMs = nowMs();
    this.#tokens = adminTokensOf(admin).map((token, i) => {
      return { name: `token ${i}`, digest: digestOf(contentOf(token)), scopes: token.scopes, file: token.tokenFile };
    });
  }

  /** There are no tokens: every user of the machine may read, and may do nothing else. */
  get isOpen(): boolean {
    return this.#tokens.length === 0;
  }

  /**
   * @returns what the token of an Authorization header permits; undefined: it is none of these. All tokens are compared, each in constant time, so that the
   * time says nothing about them
   */
  grantOf(authorization: string | undefined): Grant | undefined {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return undefined;
    this.#readAgain();
    const given = digestOf(token);
    const matching = this.#tokens.filter(({ digest }) => timingSafeEqual(digest, given));
    const [first] = matching;
    if (first === undefined) return undefined;
    return { caller: first.name, scopes: ALL_SCOPES.filter((scope) => matching.some(({ scopes }) => scopes.includes(scope))) };
  }

  #readAgain(): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#readAtMs < READ_AGAIN_MS) return;
    this.#readAtMs = nowMs;
    for (const token of this.#tokens) if (token.file !== undefined) this.#readFile(token, token.file);
  }

  /** A file that cannot be used now leaves its last token in force: it may be in the middle of being replaced. */
  #readFile(token: KnownToken, file: string): void {
    try {
      token.digest = digestOf(readTokenFile(file));
      this.#warned = false;
    } catch (error) {
      if (!this.#warned) this.#logger.warn({ file, err: error }, 'a file of admin.tokens cannot be used; its last token stays valid');
      this.#warned = true;
    }
  }
}

/** Digests of all tokens have the same length. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
