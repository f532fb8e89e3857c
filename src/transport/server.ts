import type { TlsMaterial } from '../config/certificates.ts';
import type { Config } from '../config/schema.ts';
import type { Page } from '../link/messages.ts';
import type { Logger } from '../telemetry/log.ts';
import { ClientAddresses } from './client-address.ts';
import { Origins } from './cors.ts';
import { connectionsAllowed, descriptorLimit, descriptorsOpen } from './descriptors.ts';
import { EventStreams } from './event-streams.ts';
import { Gate, type GateMetrics } from './gate.ts';
import type { HttpMetrics } from './http-door.ts';
import { HttpRequests } from './http-requests.ts';
import { type DynamicPage, routeHttp } from './http-routes.ts';
import { Listener } from './listener.ts';
import { hasCertificate, type SecureApp, secureApp } from './secure-app.ts';
import type { ClientEvents, PublishToShard } from './transport.ts';
import { type Accepted, type SocketData, type UpgradeMetrics, Upgrader } from './upgrade.ts';
import type { HttpResponse, Socket, Uws, UwsApp } from './uws.ts';
import { UwsSocket } from './uws-socket.ts';

export interface ServerOptions {
  readonly config: Config;
  readonly uws: Uws;
  /** Undefined: without TLS. */
  readonly tls: TlsMaterial | undefined;
  readonly pages: readonly Page[];
  readonly dynamicPages: readonly DynamicPage[];
  readonly metrics: GateMetrics & UpgradeMetrics & HttpMetrics;
  readonly logger: Pick<Logger, 'warn'>;
}

/** What answers requests. */
interface Handlers {
  readonly upgrader: Upgrader;
  readonly requests: HttpRequests;
  readonly streams: Pick<EventStreams<never, never>, 'route'>;
  readonly flawOfConnection: (res: HttpResponse) => string | undefined;
}

/** uWebSockets' own limit is above ours, so that a message that is a little too big gets a close code: uWebSockets closes without one. */
const OVERSIZE_MARGIN_BYTES = 65_536;

/** Three pings: a peer that answers them is never idle. uWebSockets accepts 8 s to 960 s. */
function idleTimeoutSeconds(pingIntervalMs: number): number {
  return Math.min(960, Math.max(8, Math.ceil((3 * pingIntervalMs) / 1000)));
}

/** WebSockets, and other requests, by uWebSockets: the listening sockets, and native publish to the members of a shard. */
export class WebSocketServer {
  /** As configured, or what the descriptor limit allows. */
  readonly connectionsMax: number;
  readonly #options: ServerOptions;
  readonly #app: UwsApp;
  readonly #secure: SecureApp | undefined;
  readonly #listener: Listener;
  readonly #gate: Gate;
  #requests: HttpRequests | undefined;
  #streams: Pick<EventStreams<never, never>, 'count' | 'tick'> | undefined;
  #connections = 0;

  /** @throws Error with the code `tls_failed` */
  constructor(options: ServerOptions) {
    const { config, uws, tls, metrics, logger } = options;
    const limit = descriptorLimit();
    this.#options = options;
    this.connectionsMax = connectionsAllowed(config.limits.connectionsPerWorkerMax, limit);
    this.#secure = tls === undefined ? undefined : secureApp(uws, config.tls, tls);
    this.#app = this.#secure?.app ?? uws.App();
    this.#listener = new Listener(uws, this.#app);
    this.#gate = new Gate({
      handshakesMax: config.tuning.connections.handshakesMax,
      limits: config.limits,
      acceptsPerTurnMax: config.tuning.connections.acceptsPerTurnMax,
      handshakeGraceMs: config.tuning.connections.handshakeGraceMs,
      descriptorLimit: limit,
      descriptorsOpen,
      connections: () => this.#connections + (this.#streams?.count ?? 0),
      listener: this.#listener,
      metrics,
      logger,
    });
  }

  readonly publish: PublishToShard = (shard, frame, binary) => {
    this.#app.publish(shard, frame, binary);
  };

  /** Streams of events that are open. */
  get streams(): number {
    return this.#streams?.count ?? 0;
  }

  /** Connections that have been accepted and are neither WebSockets nor streams of events yet; and whether accepting is paused. */
  get handshakes(): { readonly count: number; readonly isPaused: boolean } {
    return { count: this.#gate.handshakes, isPaused: this.#gate.isPaused };
  }

  /** Requests that are read or answered without a connection, and their bytes. */
  get requests(): { readonly count: number; readonly bytes: number } {
    return this.#requests?.inFlight ?? { count: 0, bytes: 0 };
  }

  /** Call once, before {@link listen}. */
  serve<Client, Stream>(clients: ClientEvents<Client, Stream>): void {
    const { config, tls, metrics } = this.#options;
    const origins = new Origins(config);
    const flawOfConnection = (res: HttpResponse) =>
      tls?.ca === undefined || hasCertificate(res) ? undefined : 'a client certificate is required';
    const addresses = new ClientAddresses(config.proxies);
    const common = { config, origins, addresses, metrics, gate: this.#gate, clients, flawOfConnection };
    const upgrader = new Upgrader(common);
    const requests = new HttpRequests(common);
    this.#requests = requests;
    const streams = new EventStreams(common);
    this.#streams = streams;
    this.#app.filter(this.#gate.filter);
    const route = () => this.#route(clients, { upgrader, requests, streams, flawOfConnection });
    if (this.#secure === undefined) route();
    else this.#secure.route(route);
  }

  #route<Client, Stream>(clients: ClientEvents<Client, Stream>, { upgrader, requests, streams, flawOfConnection }: Handlers): void {
    const { config, pages, dynamicPages, tls } = this.#options;
    const { limits, tuning, path, heartbeat } = config;
    const clientOf = (socket: Socket<SocketData<Client>>) => socket.getUserData().client as Client;
    this.#app.ws<SocketData<Client>>(path, {
      maxPayloadLength: limits.messageBytesMax + OVERSIZE_MARGIN_BYTES,
      maxBackpressure: tuning.fanout.lagThresholdBytes,
      // The heartbeat checks liveness: with jitter, and with shorter times than uWebSockets' steps permit. This timeout is for sockets that this node has ended
      // and whose peer neither ends nor stays silent: otherwise uWebSockets would keep them, and this node would not know of them.
      idleTimeout: idleTimeoutSeconds(heartbeat.pingIntervalMs),
      sendPingsAutomatically: false,
      upgrade: upgrader.upgrade,
      open: (ws) => {
        const data = ws.getUserData();
        const { encoding, address, token } = data.accepted as Accepted;
        const socket = new UwsSocket(ws);
        const client = clients.accept({ socket, address, encoding });
        data.accepted = undefined;
        data.socket = socket;
        data.client = client;
        this.#connections++;
        clients.opened(client, token);
      },
      message: (ws, message, isBinary) => clients.message(clientOf(ws), message, isBinary),
      pong: (ws, payload) => clients.controlFrame(clientOf(ws), payload.byteLength),
      ping: (ws, payload) => clients.controlFrame(clientOf(ws), payload.byteLength),
      dropped: (ws) => clients.dropped(clientOf(ws)),
      drain: (ws) => clients.drained(clientOf(ws)),
      close: (ws, code, reason) => {
        const { socket, client } = ws.getUserData();
        this.#connections--;
        socket?.closed();
        clients.closed(client as Client, code, reason);
      },
    });
    const isSecure = tls !== undefined || config.tls.terminatedUpstream;
    routeHttp(this.#app, { path, pages, dynamicPages, gate: this.#gate, requests, streams, clients, flawOfConnection, isSecure });
  }

  /** @returns the port; undefined if it cannot listen there */
  listen(port: number): number | undefined {
    const { host, tuning } = this.#options.config;
    return this.#listener.open({ host, port, waitingMax: tuning.connections.connectsWaitingMax });
  }

  /** Accepts no new connections; open ones stay. */
  stopListening(): void {
    this.#listener.close();
  }

  /** Called once a second. */
  tick(): void {
    this.#gate.tick();
    this.#requests?.tick();
    this.#streams?.tick();
  }

  /** Cuts all connections. */
  close(): void {
    this.#listener.close();
    this.#app.close();
  }
}
