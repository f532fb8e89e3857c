import type { Config } from '../config/schema.ts';
import { EventSocket } from './event-socket.ts';
import type { Gate } from './gate.ts';
import { endPreflight, type HttpAnswer, refusal, statusLine, writeHead } from './http-answer.ts';
import type { HttpMetrics } from './http-requests.ts';
import { flawOfOrigin, flawOfRequest, type RequestChecks } from './request-flaw.ts';
import type { ClientEvents } from './transport.ts';
import { findToken } from './upgrade.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

export interface EventStreamsOptions<Client, Stream> extends RequestChecks {
  readonly config: Config;
  readonly gate: Pick<Gate, 'requested' | 'streamBegan' | 'streamEnded'>;
  readonly clients: ClientEvents<Client, Stream>;
  readonly metrics: HttpMetrics;
}

const PATH = '/sse';
const TOO_FAST_RETRY_MS = 1000;

/** Streams of events, `GET /sse`: connections like WebSockets, but that only the node sends on. */
export class EventStreams<Client, Stream> {
  readonly #options: EventStreamsOptions<Client, Stream>;
  /** Those whose sockets do not take everything now. */
  readonly #full = new Set<EventSocket>();
  #count = 0;

  constructor(options: EventStreamsOptions<Client, Stream>) {
    this.#options = options;
  }

  /** Streams that are open. */
  get count(): number {
    return this.#count;
  }

  route(app: UwsApp): void {
    app.get(PATH, (res, req) => this.#take(res, req));
    app.options(PATH, (res, req) => this.#preflight(res, req));
    app.any(PATH, (res, req) => {
      this.#options.gate.requested(res);
      this.#refuse(
        res,
        req.getHeader('origin'),
        refusal('bad_method', 'expected GET', { headers: { Allow: 'GET, OPTIONS' } }),
        'the method',
      );
    });
  }

  /** Called once a second. */
  tick(): void {
    for (const socket of this.#full) socket.stayOpen();
  }

  #take(res: HttpResponse, req: HttpRequest): void {
    const { gate, clients, config } = this.#options;
    gate.requested(res);
    const origin = req.getHeader('origin');
    const query = req.getQuery() ?? '';
    const queryToken = config.auth.allowQueryToken ? req.getQuery('token') : undefined;
    const token = findToken(req.getHeader('authorization'), [], queryToken);
    const refused = flawOfRequest(this.#options, res, { origin, token });
    if (refused !== undefined) return this.#refuse(res, origin, ...refused);
    const asked = clients.streamOf(query, req.getHeader('last-event-id'));
    if (asked.kind === 'refused') return this.#refuse(res, origin, refusal(asked.code, asked.message, asked), asked.message);
    // Last, so that refused requests do not count against the rate.
    if (!clients.takeConnect()) {
      const why = 'more connects per second than limits.connectsPerSecondMax';
      return this.#refuse(res, origin, refusal('unavailable', why, { retryAfterMs: TOO_FAST_RETRY_MS }), why);
    }
    this.#open(res, origin, token, asked.stream);
  }

  #open(res: HttpResponse, origin: string, token: string | undefined, stream: Stream): void {
    const { gate, clients, config, origins } = this.#options;
    const socket: EventSocket = new EventSocket({
      res,
      headers: {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        // nginx would keep events back.
        'X-Accel-Buffering': 'no',
        // When it ends, the client closes the connection.
        Connection: 'close',
        ...origins.headers(origin),
      },
      fullBytes: config.tuning.fanout.lagThresholdBytes,
      events: {
        dropped: () => clients.dropped(client),
        drained: () => clients.drained(client),
        full: (isFull) => void (isFull ? this.#full.add(socket) : this.#full.delete(socket)),
        refused: (status, why) => {
          this.#options.metrics.answered(PATH, status);
          clients.refused({ status: statusLine(status), why, path: PATH });
        },
        closed: (code, reason) => {
          this.#count--;
          gate.streamEnded();
          clients.closed(client, code, Uint8Array.from(Buffer.from(reason)).buffer);
        },
      },
    });
    const client = clients.accept(socket, 'json', stream);
    this.#count++;
    gate.streamBegan();
    clients.openedStream(client, token, stream);
  }

  #preflight(res: HttpResponse, req: HttpRequest): void {
    const { gate, origins } = this.#options;
    gate.requested(res);
    const origin = req.getHeader('origin');
    const foreign = flawOfOrigin(origins, origin);
    if (foreign !== undefined) return this.#refuse(res, origin, ...foreign);
    endPreflight(res, origins.preflight(origin, 'GET'));
  }

  #refuse(res: HttpResponse, origin: string, answer: HttpAnswer, why: string): void {
    const { clients, metrics, origins } = this.#options;
    clients.refused({ status: statusLine(answer.status), why, path: PATH, ...(origin !== '' && { origin }) });
    metrics.answered(PATH, answer.status);
    writeHead(res, answer.status, { 'Content-Type': 'application/json', ...origins.headers(origin), ...answer.headers });
    res.end(answer.body, true);
  }
}
