import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { NodeProcess } from './node-process.ts';

/** Two nodes, each a process with two workers, on one nats-server, and a producer on it. */
export class ProcessPair {
  readonly nodes: readonly [NodeProcess, NodeProcess];
  readonly producer: NatsConnection;
  readonly #nats: NatsServer;

  private constructor(nodes: readonly [NodeProcess, NodeProcess], producer: NatsConnection, nats: NatsServer) {
    this.nodes = nodes;
    this.producer = producer;
    this.#nats = nats;
  }

  static async start(settings: Readonly<Record<string, unknown>>): Promise<ProcessPair> {
    const nats = await startNatsServer();
    const launch = () => NodeProcess.launch({ 'nats.url': nats.url, ...settings });
    const nodes = [launch(), launch()] as const;
    await Promise.all(nodes.map((node) => node.untilStarted(2)));
    return new ProcessPair(nodes, await connect({ servers: nats.url }), nats);
  }

  /** One after the other: of even and odd numbers. */
  node(number: number): NodeProcess {
    return this.nodes[number % 2] as NodeProcess;
  }

  /** A metric of both, added up. */
  async metric(name: string): Promise<number> {
    const [one, two] = await Promise.all(this.nodes.map((node) => node.metric(name)));
    return (one as number) + (two as number);
  }

  async stop(): Promise<void> {
    await this.producer.close();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.#nats.stop();
  }
}
