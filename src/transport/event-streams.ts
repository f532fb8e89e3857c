import type { Config } from '../config/schema.ts';
import type { ClientAddresses } from './client-address.ts';
import { EventSocket } from './event-socket.ts';
import type { Gate } from './gate.ts';
import { statusLine } from './http-answer.ts';
import { HttpDoor, type HttpDoorOptions } from './http-door.ts';
import type { ClientEvents } from './transport.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

export interface EventStreamsOptions<Client, Stream> extends HttpDoorOptions {
  readonly config: Config;
  readonly addresses: Pick<ClientAddresses, 'of'>;
  readonly gate: Pick<Gate, 'requested' | 'streamBegan' | 'streamEnded'>;
  readonly clients: ClientEvents<Client, Stream>;
}

const PATH = '/sse';

/** Streams of events, `GET /sse`: connections like WebSockets, but that only the node sends on. */
export class EventStreams<Client, Stream> {
  readonly #options: EventStreamsOptions<Client, Stream>;
  readonly #door: HttpDoor;
  /** Those whose sockets do not take everything now. */
  readonly #full = new Set<EventSocket>();
  #count = 0;

  constructor(options: EventStreamsOptions<Client, Stream>) {
    this.#options = options;
    this.#door = new HttpDoor(options);
  }

  /** Streams that are open. */
  get count(): number {
    return this.#count;
  }

  route(app: UwsApp): void {
    app.get(PATH, (res, req) => this.#take(res, req));
    this.#door.routeOthers(app, PATH, 'GET');
  }

  /** Called once a second. */
  tick(): void {
    for (const socket of this.#full) socket.stayOpen();
  }

  #take(res: HttpResponse, req: HttpRequest): void {
    const { gate, clients } = this.#options;
    gate.requested(res);
    const request = this.#door.read(PATH, req);
    const { origin, query, token } = request;
    const flaw = this.#door.flawOf(res, request);
    if (flaw !== undefined) return this.#door.refuse(res, request, flaw);
    const asked = clients.streamOf(query, req.getHeader('last-event-id'));
    if (asked.kind === 'refused') return this.#door.refuse(res, request, asked);
    const address = this.#options.addresses.of(res, req);
    const limited = clients.takeConnect(address);
    if (limited !== undefined) return this.#door.refuse(res, request, limited);
    this.#open(res, { origin, token, address }, asked.stream);
  }

  #open(
    res: HttpResponse,
    { origin, token, address }: { readonly origin: string; readonly token: string | undefined; readonly address: string },
    stream: Stream,
  ): void {
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
    const client = clients.accept({ socket, address, encoding: 'json' }, stream);
    this.#count++;
    gate.streamBegan();
    clients.openedStream(client, token, stream);
  }
}
