import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { EventClient, type EventClientOptions } from '../../support/event-client.ts';
import { rawUpgrade } from '../../support/raw-http.ts';
import { TestClient, type TestClientOptions } from '../../support/test-client.ts';
import type { RestartableNode } from '../restartable-node.ts';

/** Where visitors go. */
export interface Place {
  readonly nodes: readonly RestartableNode[];
  readonly producer: NatsConnection;
}

/** Something that a visitor does, and then leaves. It throws if something is wrong. */
export type Visit = (visitor: Visitor) => Promise<void>;

/** For a connection to be closed. */
const CLOSED_MAX_MS = 20_000;
let numbers = 0;

/** Comes, does something, and leaves nothing behind. Names that it makes are never used again. */
export class Visitor {
  readonly node: RestartableNode;
  readonly #place: Place;
  readonly #js: JetStreamClient;
  readonly #ends: (() => unknown)[] = [];

  constructor(place: Place) {
    this.#place = place;
    this.node = this.pick(...place.nodes);
    this.#js = jetstream(place.producer);
  }

  get producer(): NatsConnection {
    return this.#place.producer;
  }

  pick<T>(...choices: readonly T[]): T {
    return choices[Math.floor(Math.random() * choices.length)] as T;
  }

  /** From `min` to `max`. */
  count(min: number, max: number): number {
    return min + Math.floor(Math.random() * (max - min + 1));
  }

  times<T>(count: number, make: (i: number) => T): T[] {
    return Array.from({ length: count }, (_, i) => make(i));
  }

  pause(maxMs: number): Promise<void> {
    return sleep(Math.random() * maxMs);
  }

  /** A name that nobody has had. */
  name(kind: string): string {
    return `${kind}${numbers++}`;
  }

  topic(namespace: string): string {
    return `${namespace}.${this.name('t')}`;
  }

  /** On any node, in any encoding. */
  client(options: Partial<TestClientOptions> = {}): Promise<TestClient> {
    return this.clientOf(this.pick(...this.#place.nodes), options);
  }

  async clientOf(node: RestartableNode, options: Partial<TestClientOptions> = {}): Promise<TestClient> {
    const client = await TestClient.connect(node.url, { encoding: this.pick('json', 'msgpack'), ...options });
    // Leaves with a goodbye, or without.
    const isPolite = this.pick(true, false);
    this.#ends.push(async () => {
      client.socket.resume();
      if (!isPolite) return client.close();
      client.socket.close(1000);
      const timer = setTimeout(() => client.socket.terminate(), 2000);
      await client.closed.finally(() => clearTimeout(timer));
    });
    return client;
  }

  /** What is missing of an anonymous client: its first message. */
  async anonymous(): Promise<TestClient> {
    const client = await this.client();
    client.send({ type: 'connect', id: 0 });
    await client.next('connected');
    return client;
  }

  async user(token: string, node?: RestartableNode): Promise<TestClient> {
    const client = node === undefined ? await this.client({ token }) : await this.clientOf(node, { token });
    await client.next('connected');
    return client;
  }

  stream(query: string, options: EventClientOptions = {}): EventClient {
    const client = new EventClient(this.node.port, `/sse?${query}`, options);
    this.#ends.push(() => {
      client.socket.destroy();
      return client.closed;
    });
    return client;
  }

  /** A socket of bytes. @param upgrade it is a WebSocket */
  async raw({ upgrade = false, reads = true } = {}): Promise<net.Socket> {
    const socket = net.connect(this.node.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    this.#ends.push(() => {
      socket.destroy();
      return closed;
    });
    await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
    if (upgrade) {
      socket.write(rawUpgrade());
      await Promise.race([new Promise((resolve) => socket.once('data', resolve)), closed]);
    }
    if (reads) socket.resume();
    else socket.pause();
    return socket;
  }

  /** As a producer that does not wait. */
  publish(topic: string, data: unknown): void {
    this.producer.publish(`feed.${topic}`, JSON.stringify(data));
  }

  /** @returns the offset */
  async store(topic: string, data: unknown, more: Readonly<Record<string, string>> = {}): Promise<number> {
    return (await this.#js.publish(`feed.${topic}`, JSON.stringify(data), { headers: headersOf(more), timeout: 5000 })).seq;
  }

  /** With the scopes of an operator. @throws Error for a status that no caller should get */
  async admin(path: string, body?: object): Promise<unknown> {
    const answer = await (body === undefined ? this.node.get(path) : this.node.post(path, body));
    const text = await answer.text();
    if (answer.status === 500) throw new Error(`${path} was answered with ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  /** Waits for the end of a connection. */
  async until(end: Promise<unknown>, why: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${why}: not closed in ${CLOSED_MAX_MS} ms`)), CLOSED_MAX_MS);
    });
    await Promise.race([end, late]).finally(() => clearTimeout(timer));
  }

  async leave(): Promise<void> {
    await Promise.all(this.#ends.splice(0).map((end) => end()));
  }
}

export function headersOf(values: Readonly<Record<string, string>>): MsgHdrs {
  const all = headers();
  for (const [name, value] of Object.entries(values)) all.set(name, value);
  return all;
}
