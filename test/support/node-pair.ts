import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Encoding } from '../../src/protocol/codec.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { TestNode } from './node.ts';
import type { TestClient } from './test-client.ts';
import { tokenOf } from './tokens.ts';

const ADMIN_TOKEN = 'the-operators-token';

/** What a node's HTTP API answered. */
export interface HttpAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the path answers
  readonly body: any;
}

/** Two nodes that know of each other on one nats-server, and a program on it. */
export class NodePair {
  readonly nats: NatsServer;
  readonly program: NatsConnection;
  readonly one: TestNode;
  readonly two: TestNode;

  private constructor(nats: NatsServer, program: NatsConnection, one: TestNode, two: TestNode) {
    this.nats = nats;
    this.program = program;
    this.one = one;
    this.two = two;
  }

  static async start(settings: Readonly<Record<string, unknown>>): Promise<NodePair> {
    const nats = await startNatsServer();
    const program = await connect({ servers: nats.url });
    const start = (nodeId: string) =>
      TestNode.start({ 'nats.url': nats.url, 'admin.token': ADMIN_TOKEN, 'limits.messagesPerSecondMax': 10_000, nodeId, ...settings });
    const pair = new NodePair(nats, program, await start('one'), await start('two'));
    for (const node of pair.both) await node.untilNodes(2);
    return pair;
  }

  get both(): readonly [TestNode, TestNode] {
    return [this.one, this.two];
  }

  /** A client with a token that permits everything. */
  async client(node: TestNode, sub: string, encoding: Encoding): Promise<{ client: TestClient; connectionId: string }> {
    const client = await node.connect({ encoding, token: await tokenOf({ sub }) });
    const { connectionId } = await client.next('connected');
    return { client, connectionId };
  }

  post(node: TestNode, path: string, body: unknown, token = ADMIN_TOKEN): Promise<HttpAnswer> {
    return this.postText(node, path, JSON.stringify(body), token);
  }

  async postText(node: TestNode, path: string, body: string, token = ADMIN_TOKEN): Promise<HttpAnswer> {
    const url = `http://127.0.0.1:${node.running.adminPort}${path}`;
    const answer = await fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body });
    return { status: answer.status, body: await answer.json() };
  }

  /** The options with which a command reaches the HTTP API of a node. */
  apiOptions(node: TestNode): string[] {
    return ['--set', `admin.port=${node.running.adminPort}`, '--set', 'admin.host=127.0.0.1', '--set', `admin.token=${ADMIN_TOKEN}`];
  }

  async stop(): Promise<void> {
    await this.one.stop();
    await this.two.stop();
    await this.program.close();
    await this.nats.stop();
  }
}
