import { HookDenied } from '../../hooks/denied.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { Turns } from '../../telemetry/turns.ts';
import type { ClientRequest, RequestOutcome } from '../../transport/transport.ts';
import type { CommandContext } from '../commands/command.ts';
import { ANONYMOUS, type Identity } from '../identity.ts';
import type { SessionMetrics } from '../metrics.ts';
import type { RefusalLog } from '../refusal-log.ts';
import { type Caller, Callers } from './callers.ts';
import { readHistory } from './history.ts';
import { publishBody } from './publish.ts';

export interface RequestsOptions {
  readonly context: CommandContext;
  /** Prefix of the ids that requests have where connections have theirs. */
  readonly idPrefix: string;
  readonly metrics: Pick<SessionMetrics, 'bytesIn' | 'messageIn' | 'error'>;
  readonly log: Pick<RefusalLog, 'command'>;
  /** Reports an error caused neither by a client nor by the bus. */
  readonly onBug: (error: Error) => void;
}

/** A request, as commands and hooks see a connection. What it uses up is counted for all requests of its user. */
export class RequestClient {
  readonly id: string;
  readonly identity: Identity;
  readonly #caller: Caller;

  constructor(id: string, identity: Identity, caller: Caller) {
    this.id = id;
    this.identity = identity;
    this.#caller = caller;
  }

  get publishesInFlight(): number {
    return this.#caller.publishesInFlight;
  }

  set publishesInFlight(count: number) {
    this.#caller.publishesInFlight = count;
  }

  get hooksAsked(): number {
    return this.#caller.hooksAsked;
  }

  set hooksAsked(count: number) {
    this.#caller.hooksAsked = count;
  }
}

/** Time of a loop turn for requests, so that members do not notice them. */
const TURN_MS = 2;

type About = Pick<RequestClient, 'id' | 'identity'>;

/** Requests that are answered without a connection, under the rules of the commands of the same names. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #callers: Callers;
  readonly #turns = new Turns(TURN_MS);
  readonly #publishing = new Set<RequestClient>();
  #nextId = 1;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#callers = new Callers(options.context.config);
  }

  /** Those that publish, and are not answered yet. */
  [Symbol.iterator](): Iterator<RequestClient> {
    return this.#publishing.values();
  }

  async request(request: ClientRequest): Promise<RequestOutcome> {
    const { idPrefix } = this.#options;
    let about: About = { id: `${idPrefix}r${this.#nextId++}`, identity: ANONYMOUS };
    try {
      const identity = await this.#turns.run(() => this.#identityOf(request.token));
      about = { ...about, identity };
      return await this.#answer(about, request);
    } catch (error) {
      return this.#refusal(about, request, error as Error);
    }
  }

  /** Called about once a second. */
  forgetOld(nowMs: number): void {
    this.#callers.forgetOld(nowMs);
  }

  async #identityOf(token: string | undefined): Promise<Identity> {
    const { authentication } = this.#options.context;
    if (token !== undefined) return authentication.verify(token);
    if (authentication.anonymousAllowed) return ANONYMOUS;
    throw new ProtocolError('unauthorized', 'a token is required');
  }

  async #answer({ id, identity }: About, request: ClientRequest): Promise<RequestOutcome> {
    const { kind, query, body, address } = request;
    const { context, metrics } = this.#options;
    const bytes = query.length + body.length;
    metrics.bytesIn(bytes);
    const caller = this.#callers.take(identity.user === null ? `address ${address}` : `user ${identity.user}`, bytes, Date.now());
    metrics.messageIn(kind);
    caller.requestsInFlight++;
    try {
      const client = new RequestClient(id, identity, caller);
      await context.authentication.assertMayConnect(client, identity);
      const answer = await this.#turns.run(async () => {
        context.authentication.assertNotRevoked(identity);
        return kind === 'publish' ? this.#publish(client, request) : readHistory(client, query, context);
      });
      return { kind: 'answer', body: answer };
    } finally {
      caller.requestsInFlight--;
    }
  }

  async #publish(client: RequestClient, request: ClientRequest): Promise<Uint8Array> {
    this.#publishing.add(client);
    try {
      return await publishBody(client, request, this.#options.context);
    } finally {
      this.#publishing.delete(client);
    }
  }

  #refusal(about: About, { kind }: ClientRequest, error: Error): RequestOutcome {
    const { metrics, log, onBug } = this.#options;
    if (error instanceof HookDenied) {
      const { code, message } = error;
      metrics.error('hook_denied');
      log.command(about, { type: kind }, 'hook_denied', `${code}: ${message}`, undefined);
      return { kind: 'refused', code, message, status: 403, service: true };
    }
    if (!(error instanceof ProtocolError)) onBug(error);
    const refused = error instanceof ProtocolError ? error : new ProtocolError('internal', 'unexpected server error');
    const { code, message, retryAfterMs, cause } = refused;
    metrics.error(code);
    log.command(about, { type: kind }, code, message, cause);
    return { kind: 'refused', code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
}
