import { Counter, Gauge, type Registry } from 'prom-client';
import { readTls, type TlsMaterial, type TlsRead } from '../config/certificates.ts';
import { ConfigError, printProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../telemetry/log.ts';

/** Certificates that could be read, but not be put into use, are tried again after this: it may have been something that passes. */
const RETRY_AFTER_MS = 60_000;

export interface CertificatesOptions {
  readonly tls: Config['tls'];
  readonly checkIntervalMs: number;
  readonly registry: Registry;
  readonly logger: Logger;
  /** A monotonic clock. */
  readonly nowMs?: () => number;
  /** Puts new certificates into use, wherever the old ones are. If it fails, the old ones stay. */
  readonly use: (material: TlsMaterial) => Promise<void>;
}

/**
 * The certificates that new workers get: the last ones that could be used. The files are read again and again, because what renews them tells nobody: certbot
 * replaces files, Kubernetes a symbolic link.
 */
export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #expires: Gauge<'name'>;
  readonly #renewals: Counter<'result'>;
  readonly #timer: NodeJS.Timeout;
  readonly #nowMs: () => number;
  #current: TlsMaterial;
  /** What was found last, as text, so that it is tried and logged once. */
  #lastTried: string;
  #retryAtMs = Number.POSITIVE_INFINITY;
  #busy: Promise<void> | undefined;

  /** @throws ConfigError if the files cannot be used */
  constructor(options: CertificatesOptions) {
    const { tls, registry, checkIntervalMs } = options;
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    const read = readTls(tls, Date.now());
    if ('problems' in read) throw new ConfigError(read.problems.map((problem) => printProblem(problem, undefined)));
    this.#current = read.material;
    this.#lastTried = textOf(read);
    this.#expires = new Gauge({
      name: 'stentor_tls_certificate_expires_timestamp_seconds',
      help: 'When the certificate in use expires, in seconds since 1970.',
      labelNames: ['name'],
      registers: [registry],
    });
    this.#renewals = new Counter({
      name: 'stentor_tls_renewals_total',
      help: 'Changes of the files of tls, by what came of them.',
      labelNames: ['result'],
      registers: [registry],
    });
    for (const result of ['used', 'refused']) this.#renewals.inc({ result }, 0);
    this.#show(read);
    this.#timer = setInterval(() => this.check(), checkIntervalMs);
    this.#timer.unref();
  }

  get current(): TlsMaterial {
    return this.#current;
  }

  /** Looks for renewed files. A change that comes while the last one is put into use is found afterwards. */
  check(): void {
    if (this.#busy !== undefined) return;
    const read = readTls(this.#options.tls, Date.now());
    const text = textOf(read);
    if (text === this.#lastTried && this.#nowMs() < this.#retryAtMs) return;
    this.#lastTried = text;
    this.#retryAtMs = Number.POSITIVE_INFINITY;
    if ('problems' in read) return this.#refuse(read.problems.map((problem) => printProblem(problem, undefined)).join('; '));
    this.#busy = this.#use(read).finally(() => {
      this.#busy = undefined;
    });
  }

  /** Resolves when nothing is being put into use. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#busy;
  }

  async #use(read: Extract<TlsRead, { readonly material: TlsMaterial }>): Promise<void> {
    const before = this.#current;
    // Workers that start from now on get it, whoever starts them.
    this.#current = read.material;
    try {
      await this.#options.use(read.material);
      this.#show(read);
      this.#renewals.inc({ result: 'used' });
      this.#options.logger.info({ certificates: read.expiries.map(forLog) }, 'certificates renewed');
    } catch (error) {
      this.#current = before;
      this.#retryAtMs = this.#nowMs() + RETRY_AFTER_MS;
      this.#refuse((error as Error).message);
    }
  }

  #refuse(why: string): void {
    this.#renewals.inc({ result: 'refused' });
    this.#options.logger.error({ why }, 'the renewed certificates cannot be used; the last ones stay in use');
  }

  #show({ expiries }: Extract<TlsRead, { readonly material: TlsMaterial }>): void {
    for (const { name, expiresAtMs } of expiries) this.#expires.set({ name }, expiresAtMs / 1000);
  }
}

const textOf = (read: TlsRead) => JSON.stringify('problems' in read ? read.problems : read.material);
const forLog = ({ name, expiresAtMs }: { readonly name: string; readonly expiresAtMs: number }) => ({
  name,
  expiresAt: new Date(expiresAtMs).toISOString(),
});
