import type { IncomingMessage } from 'node:http';
import type { Scope } from '../../config/admin-tokens.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseJson } from '../../protocol/json-codec.ts';
import type { Logger } from '../../telemetry/log.ts';
import { type Answer, jsonAnswer, refusal } from '../answer.ts';
import { FOREIGN_HOST, isLocalName } from '../local-name.ts';
import { BodyBytes, readBody } from '../read-body.ts';
import type { ApiTokens } from './access.ts';
import type { Route } from './route.ts';
import type { ApiContext, ApiSources } from './sources.ts';
import { ROUTES } from './table.ts';

export interface ApiOptions {
  readonly tokens: ApiTokens;
  readonly sources: ApiSources;
  readonly logger: Logger;
}

/** Answers requests to the routes of the table. At most `tuning.admin.requestsInFlightMax` at the same time, with at most `tuning.admin.bodiesBytesMax` of bodies. */
export class Api {
  readonly #options: ApiOptions;
  /** By path, then by method. */
  readonly #routes = new Map<string, Map<string, Route>>();
  readonly #bodies: BodyBytes;
  #inFlight = 0;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#bodies = new BodyBytes(options.sources.config.tuning.admin.bodiesBytesMax);
    for (const route of ROUTES) {
      const atPath = this.#routes.get(route.path) ?? new Map<string, Route>();
      this.#routes.set(route.path, atPath.set(route.method, route));
    }
  }

  async answer(request: IncomingMessage, path: string, query: string): Promise<Answer> {
    const atPath = this.#routes.get(path);
    if (atPath === undefined) return refusal('not_found', `the API has no path ${path.slice(0, 100)}`);
    const route = atPath.get(request.method === 'HEAD' ? 'GET' : (request.method ?? ''));
    if (route === undefined) return badMethod([...atPath.keys()]);
    const scopes = this.#options.tokens.scopesOf(request.headers.authorization);
    const denied = this.#whyNot(request, scopes, route.scope);
    if (denied !== undefined) return denied;
    const { requestsInFlightMax } = this.#options.sources.config.tuning.admin;
    if (this.#inFlight >= requestsInFlightMax) return closing(refusal('busy', `${requestsInFlightMax} requests are being answered`));
    this.#inFlight++;
    try {
      return await this.#run(route, request, query, scopes ?? ['read']);
    } catch (error) {
      if (error instanceof ProtocolError) return refusal(error.code, error.message);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  /** Why a token with these scopes may not do what needs this one; undefined if it may. */
  #whyNot({ headers }: IncomingMessage, scopes: readonly Scope[] | undefined, needed: Scope): Answer | undefined {
    if (this.#options.tokens.isOpen) {
      if (needed !== 'read')
        return refusal('unsupported', `this needs a token with the scope ${needed}, and neither admin.token nor admin.tokens is set`);
      // Without a token, a foreign DNS name that resolves to this address would let a foreign web page read the API (DNS rebinding).
      if (!isLocalName(headers.host)) return refusal('forbidden', FOREIGN_HOST);
      return undefined;
    }
    if (scopes === undefined) return unauthorized();
    return scopes.includes(needed) ? undefined : refusal('forbidden', `this needs a token with the scope ${needed}`);
  }

  async #run(route: Route, request: IncomingMessage, query: string, scopes: readonly Scope[]): Promise<Answer> {
    const { sources, logger } = this.#options;
    const context: ApiContext = { sources, logger, scopes };
    if (route.body === undefined) return answerOf(route, query, undefined, context);
    const bytesMax = route.bodyBytesMax(context);
    const { bodyTimeoutMs: timeoutMs } = sources.config.tuning.admin;
    const read = await readBody(request, { bytesMax, timeoutMs }, this.#bodies);
    if (read === 'tooSlow') return closing(refusal('timeout', `the body did not arrive within ${timeoutMs} ms`));
    if (read === 'cut') return closing(refusal('bad_message', 'the connection was closed within the body'));
    if (read === 'tooLarge') return closing(refusal('message_too_big', `the body has more than ${bytesMax} bytes`));
    if (read === 'noRoom')
      return closing(
        refusal('busy', `the bodies of other requests take up tuning.admin.bodiesBytesMax (${sources.config.tuning.admin.bodiesBytesMax})`),
      );
    try {
      return await answerOf(route, query, parseJson(read.bytes), context);
    } finally {
      read.release();
    }
  }
}

async function answerOf(route: Route, query: string, body: unknown, context: ApiContext): Promise<Answer> {
  return jsonAnswer(200, await route.run(new URLSearchParams(query), body, context));
}

function badMethod(known: readonly string[]): Answer {
  const allowed = known.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return withHeaders(refusal('bad_method', `expected ${allowed}`), { Allow: allowed });
}

function unauthorized(): Answer {
  return withHeaders(refusal('unauthorized', 'a bearer token is required'), { 'WWW-Authenticate': 'Bearer' });
}

/** Ends the connection, so that the unread rest of a body is not parsed as the next request. */
function closing(answer: Answer): Answer {
  return withHeaders(answer, { Connection: 'close' });
}

function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
