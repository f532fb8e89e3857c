import { loadConfig } from '../../src/config/load.ts';
import { WebSocketServer } from '../../src/transport/server.ts';
import type { ClientEvents, ClientSocket } from '../../src/transport/transport.ts';
import { loadUws } from '../../src/transport/uws.ts';

/** The largest message of Autobahn's cases, and what may wait for a socket that is sent it back. */
const MESSAGE_BYTES_MAX = 16 * 2 ** 20;
const WAITING_BYTES_MAX = 4 * MESSAGE_BYTES_MAX;

const nothing = () => undefined;

/**
 * Stentor's transport, with its own settings of uWebSockets, above which every message is sent back: what Autobahn's fuzzing client expects. Only the bounds
 * are higher.
 *
 * @returns the port
 */
export async function startEchoServer(port: number): Promise<{ readonly port: number; stop(): void }> {
  const { config } = loadConfig({ env: {}, flags: { host: '127.0.0.1', path: '/', workers: 0 } });
  const higher = {
    ...config,
    limits: { ...config.limits, messageBytesMax: MESSAGE_BYTES_MAX },
    tuning: { ...config.tuning, fanout: { ...config.tuning.fanout, lagThresholdBytes: WAITING_BYTES_MAX } },
  };
  const server = new WebSocketServer({
    config: higher,
    uws: await loadUws(),
    tls: undefined,
    pages: [],
    dynamicPages: [],
    metrics: new Proxy({} as never, { get: () => nothing }),
    logger: { warn: nothing },
  });
  const echo: Partial<ClientEvents<ClientSocket>> = {
    whyUnavailable: nothing,
    flawOf: nothing,
    takeConnect: nothing,
    accept: ({ socket }) => socket,
    opened: nothing,
    message: (socket, message, isBinary) => void socket.send(new Uint8Array(message), isBinary),
    controlFrame: nothing,
    dropped: nothing,
    drained: nothing,
    closed: nothing,
    refused: nothing,
  };
  server.serve(echo as ClientEvents<ClientSocket>);
  const opened = server.listen(port);
  if (opened === undefined) throw new Error(`cannot listen on port ${port}`);
  return { port: opened, stop: () => server.close() };
}
