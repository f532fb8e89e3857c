import { connect, type NatsConnection } from '@nats-io/transport-node';
import { childScript, ROOT } from '../build.ts';
import { processTree } from '../core/proc.ts';
import { Child } from '../core/rpc.ts';
import { startNatsServer } from '../servers/nats-server.ts';
import type { NodeListening } from '../servers/server.ts';

export interface NatsNode {
  /** For clients. */
  readonly url: string;
  /** Publishes to the node's NATS. */
  readonly producer: NatsConnection;
  /** Of hub and worker. */
  readonly pids: readonly number[];
}

/** Starts a node with these namespaces and one worker on a NATS of its own, for a scenario with its own clients, and stops everything after it. */
export async function withNatsNode<T>(namespaces: object, work: (node: NatsNode) => Promise<T>): Promise<T> {
  const nats = await startNatsServer();
  const node = new Child('stentor', childScript('stentor-node'));
  let producer: NatsConnection | undefined;
  try {
    producer = await connect({ servers: nats.url });
    const flags = { port: 0, 'admin.port': 0, workers: 1, 'log.level': 'warn', 'nats.url': nats.url, namespaces };
    const { port } = await node.call<NodeListening>('start', { root: ROOT, flags });
    return await work({ url: `ws://127.0.0.1:${port}/ws`, producer, pids: processTree([node.pid]) });
  } finally {
    await producer?.close();
    await node.stop();
    await nats.stop();
  }
}
