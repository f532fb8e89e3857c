import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Scope } from '../../config/admin-tokens.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseJson } from '../../protocol/json-codec.ts';
import type { Logger } from '../../telemetry/log.ts';
import { type Answer, jsonAnswer, refusal } from '../answer.ts';
import { FOREIGN_HOST, isLocalName } from '../local-name.ts';
import { readBody } from '../read-body.ts';
import { subscriberOf } from '../subscriber.ts';
import type { ApiTokens, Grant } from './access.ts';
import type { Full, Place, Places, Room } from './places.ts';
import type { Route } from './route.ts';
import type { ApiContext, ApiSources } from './sources.ts';
import { ROUTES } from './table.ts';

export interface ApiOptions {
  readonly tokens: ApiTokens;
  readonly sources: ApiSources;
  readonly places: Places;
  /** The request has a place until the response is closed. */
  readonly onPlace: (request: IncomingMessage, response: ServerResponse) => void;
  readonly logger: Logger;
}

/** Answers requests to the routes of the table, each at a place of its caller. */
export class Api {
  readonly #options: ApiOptions;
  /** By path, then by method. */
  readonly #routes = new Map<string, Map<string, Route>>();

  constructor(options: ApiOptions) {
    this.#options = options;
    for (const route of ROUTES) {
      const atPath = this.#routes.get(route.path) ?? new Map<string, Route>();
      this.#routes.set(route.path, atPath.set(route.method, route));
    }
  }

  /** @param response is written by the caller of this. The place is kept until then, so that answers that nobody reads are bounded too */
  async answer(request: IncomingMessage, response: ServerResponse, path: string, query: string): Promise<Answer> {
    const atPath = this.#routes.get(path);
    if (atPath === undefined) return refusal('not_found', `the API has no path ${path.slice(0, 100)}`);
    const route = atPath.get(request.method === 'HEAD' ? 'GET' : (request.method ?? ''));
    if (route === undefined) return badMethod([...atPath.keys()]);
    const { tokens, places } = this.#options;
    const grant = tokens.grantOf(request.headers.authorization);
    const denied = this.#whyNot(request, grant?.scopes, route.scope);
    if (denied !== undefined) return denied;
    const { caller, scopes }: Grant = grant ?? { caller: `address ${subscriberOf(request.socket.remoteAddress)}`, scopes: ['read'] };
    const place: Place | Full = places.take(caller);
    if (typeof place === 'string') return this.#busy(place);
    const { room, leave } = place;
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    this.#options.onPlace(request, response);
    try {
      const answer = await this.#outcome(route, request, query, scopes, room);
      // What orders and publications did must be told. Their answers are small.
      if (route.method !== 'GET') return answer;
      const { length } = answer.body;
      const full = room.takeAnswer(length);
      if (full !== undefined) return this.#busy(full);
      void closed.then(() => room.release(length));
      return answer;
    } finally {
      void closed.then(leave);
    }
  }

  async #outcome(route: Route, request: IncomingMessage, query: string, scopes: readonly Scope[], room: Room): Promise<Answer> {
    try {
      return await this.#run(route, request, query, scopes, room);
    } catch (error) {
      if (error instanceof ProtocolError) return refusal(error.code, error.message);
      throw error;
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
    if (scopes === undefined) return unauthorized(headers.authorization !== undefined);
    return scopes.includes(needed) ? undefined : refusal('forbidden', `this needs a token with the scope ${needed}`);
  }

  async #run(route: Route, request: IncomingMessage, query: string, scopes: readonly Scope[], room: Room): Promise<Answer> {
    const { sources, logger } = this.#options;
    const context: ApiContext = { sources, logger, scopes };
    if (route.body === undefined) return answerOf(route, query, undefined, context);
    const bytesMax = route.bodyBytesMax(context);
    const { bodyTimeoutMs: timeoutMs } = sources.config.tuning.admin;
    const read = await readBody(request, { bytesMax, timeoutMs }, room);
    switch (read.kind) {
      case 'tooSlow':
        return closing(refusal('timeout', `the body did not arrive within ${timeoutMs} ms`));
      case 'cut':
        return closing(refusal('bad_message', 'the connection was closed within the body'));
      case 'tooLarge':
        return closing(refusal('message_too_big', `the body has more than ${bytesMax} bytes`));
      case 'noRoom':
        return this.#busy(read.full);
    }
    try {
      return await answerOf(route, query, parseJson(read.bytes), context);
    } finally {
      read.release();
    }
  }

  #busy(full: Full): Answer {
    const max = this.#options.sources.config.tuning.admin[full];
    return closing(refusal('busy', `${OTHERS[full]} take up tuning.admin.${full} (${max})`));
  }
}

const OTHERS: Readonly<Record<Full, string>> = {
  requestsInFlightMax: 'other requests',
  requestsPerTokenMax: 'other requests of this token or address',
  bodiesBytesMax: 'the bodies of other requests',
  bodiesBytesPerTokenMax: 'the bodies of other requests of this token or address',
};

async function answerOf(route: Route, query: string, body: unknown, context: ApiContext): Promise<Answer> {
  return jsonAnswer(200, await route.run(new URLSearchParams(query), body, context));
}

function badMethod(known: readonly string[]): Answer {
  const allowed = known.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return withHeaders(refusal('bad_method', `expected ${allowed}`), { Allow: allowed });
}

function unauthorized(isGiven: boolean): Answer {
  const message = isGiven ? 'this node does not know the given token' : 'a bearer token is required';
  return withHeaders(refusal('unauthorized', message), { 'WWW-Authenticate': 'Bearer' });
}

/** Ends the connection, so that the unread rest of a body is not parsed as the next request. */
function closing(answer: Answer): Answer {
  return withHeaders(answer, { Connection: 'close' });
}

function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
