import { loadConfig } from '../../src/config/load.ts';
import { Delivery } from '../../src/delivery/delivery.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import type { FeedName } from '../../src/protocol/feed-name.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import { Connections } from '../../src/session/connections.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import type { ClientSocket } from '../../src/transport/transport.ts';
import { WorkerMetrics } from '../../src/worker/worker-metrics.ts';

/** A socket that accepts everything, and counts it. */
export class Sink implements ClientSocket {
  readonly isNative = true;
  readonly bufferedBytes = 0;
  isOpen = true;
  frames = 0;
  bytes = 0;
  send({ length }: Uint8Array): boolean {
    this.frames++;
    this.bytes += length;
    return true;
  }
  cork(work: () => void): void {
    work();
  }
  join(): void {}
  leave(): void {}
  publishToOthers(): void {}
  ping(): void {}
  end(): void {
    this.isOpen = false;
  }
  cut(): void {
    this.isOpen = false;
  }
}

/** One turn of the event loop. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

export interface WorkerAloneOptions {
  readonly settings: Record<string, unknown>;
  readonly connectionsMax: number;
  /** The state of a topic that the worker asks its hub to open. */
  readonly opened: (topic: FeedName) => Omit<Extract<ToWorker, { kind: 'opened' }>, 'kind' | 'topic'>;
}

/** What a worker does for its clients, without sockets and without a hub, for profiles. */
export async function workerAlone({ settings, connectionsMax, opened }: WorkerAloneOptions) {
  const { config } = loadConfig({ env: {}, flags: { ...settings, 'log.level': 'silent' } });
  const logger = createLogger(config.log);
  const authenticator = await Authenticator.create({ auth: { ...config.auth, ...config.tuning.auth }, logger });
  const { hubEnd, workerEnd } = createInProcessLink();
  const metrics = new WorkerMetrics(0);
  const onBug = (error: Error) => {
    throw error;
  };
  const delivery = new Delivery({
    config,
    link: workerEnd,
    publish: () => undefined,
    receiverOf: (id) => connections.find(id)?.receiver,
    metrics: metrics.delivery,
    onWorkerMessage: () => undefined,
    onBug,
  });
  const connections = new Connections({
    config,
    nodeId: 'node',
    idPrefix: 'c.',
    connectionsMax,
    delivery,
    authenticator,
    metrics: metrics.session,
    logger,
    whyUnavailable: () => undefined,
    onOpened: () => undefined,
    onBug,
  });
  hubEnd.onMessages((messages) => {
    for (const message of messages) {
      if (message.kind === 'open') delivery.receive([{ kind: 'opened', topic: message.topic, ...opened(message.topic) }]);
    }
  });
  return {
    delivery,
    /** A client has connected. */
    open(token?: string) {
      const socket = new Sink();
      if (token !== undefined) authenticator.flawOf(token);
      const connection = connections.accept({ socket, address: '', encoding: 'msgpack' });
      connections.opened(connection, token);
      return {
        socket,
        /** @param message in MessagePack */
        send: (message: Uint8Array) => connections.message(connection, Uint8Array.from(message).buffer, true),
        close() {
          socket.isOpen = false;
          connections.closed(connection, 1000, new ArrayBuffer(0));
        },
      };
    },
  };
}
