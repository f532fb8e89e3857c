import { readFileSync } from 'node:fs';
import type { Scope } from '../../config/admin-tokens.ts';
import { stringifyJson } from '../../protocol/json-writer.ts';
import { badValue, CliError, usageError } from '../errors.ts';
import { loadFromOptions } from '../options.ts';
import { note } from '../output.ts';
import type { AdminOptions } from './admin-options.ts';
import { adminOrigin } from './admin-origin.ts';
import { adminToken } from './admin-token.ts';
import { askAdmin } from './ask-admin.ts';

/** A node waits a few seconds for busy workers and for other nodes. */
const ANSWER_TIMEOUT_MS = 15_000;
const TOKEN_HELP = 'Set admin.token or admin.tokens as on the node, for example with STENTOR_ADMIN_TOKEN or --config';

type Query = Readonly<Record<string, string | number | undefined>>;

interface Refusal {
  readonly error?: { readonly code?: string; readonly message?: string };
}

/** The HTTP API of one node, with the token of a scope. */
export class AdminApi {
  readonly origin: string;
  readonly #token: string;
  readonly #scope: Scope;
  readonly #certificate: string | undefined;

  private constructor(origin: string, token: string, scope: Scope, certificate: string | undefined) {
    this.origin = origin;
    this.#certificate = certificate;
    this.#token = token;
    this.#scope = scope;
  }

  /** @throws ConfigError, CliError `usage` */
  static async from(options: AdminOptions, scope: Scope): Promise<AdminApi> {
    const { adminUrl } = options;
    if (adminUrl !== undefined && !/^https?:\/\/[^/]/.test(adminUrl))
      throw badValue('--admin-url', adminUrl, 'expected a URL like http://10.0.0.5:9090');
    if (adminUrl?.includes('@')) throw usageError('--admin-url: expected no user and password in it: the token is in the config');
    const { config } = await loadFromOptions(options);
    const origin = adminUrl?.replace(/\/+$/, '') ?? adminOrigin(config.admin);
    // The node of this configuration, at an address that is not in its certificate.
    const certificate = adminUrl === undefined && config.admin.tls ? readFileSync(config.tls.certFile, 'utf8') : undefined;
    return new AdminApi(origin, adminToken(config.admin, scope), scope, certificate);
  }

  /** @param path without `/api/` @throws CliError with the code of the API, `unreachable`, `timeout` */
  get<T>(path: string, query: Query = {}): Promise<T> {
    const parameters = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const text = parameters.length === 0 ? '' : `?${new URLSearchParams(parameters)}`;
    return this.#ask(`${path}${text}`, {});
  }

  /** @param workMs time that the node itself may take for it */
  post<T>(path: string, body: object, workMs = 0): Promise<T> {
    return this.#ask(path, { method: 'POST', body: stringifyJson(body, 'digits') }, workMs);
  }

  /** The node's metrics, in Prometheus' text format. @throws CliError */
  async metrics(): Promise<string> {
    const { ok, status, text } = await askAdmin(`${this.origin}/metrics`, 'unreachable', this.#init());
    if (ok) return text;
    throw new CliError(
      status === 401 || status === 403 ? 'forbidden' : 'failed',
      `${this.origin}/metrics answered ${status}: ${text.trim()}`,
    );
  }

  #init(init: { readonly method?: string; readonly body?: string } = {}, workMs = 0) {
    const headers: Record<string, string> = this.#token === '' ? {} : { Authorization: `Bearer ${this.#token}` };
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS + workMs);
    const help = 'Is a node running there? Say where with --admin-url, or with admin.host and admin.port';
    return { ...init, headers, signal, help, certificate: this.#certificate };
  }

  async #ask<T>(path: string, init: { readonly method?: string; readonly body?: string }, workMs = 0): Promise<T> {
    const { ok, status, text } = await askAdmin(`${this.origin}/api/${path}`, 'unreachable', this.#init(init, workMs));
    const answer = parse(text);
    if (ok && answer !== undefined) return answer as T;
    const { code = 'failed', message } = (answer as Refusal | undefined)?.error ?? {};
    if (message === undefined) throw new CliError('failed', `${this.origin} answered ${status}, and not as an admin port of Stentor does`);
    throw new CliError(code, `${message}${this.#help(code)}`);
  }

  #help(code: string): string {
    if (code === 'unauthorized') return `. ${TOKEN_HELP}`;
    return code === 'forbidden' && this.#token === '' ? `. ${TOKEN_HELP}: one with the scope ${this.#scope}` : '';
  }
}

/** Tells the user what is missing in an answer about all nodes. */
export function noteMissing({ nodesSilent = [], workersSilent = 0 }: { nodesSilent?: readonly string[]; workersSilent?: number }): void {
  if (nodesSilent.length > 0) note(`warning: no answer from ${nodesSilent.join(', ')}: what is there is missing`);
  if (workersSilent > 0) note(`warning: ${workersSilent} workers are too busy to answer: what they have is missing`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
