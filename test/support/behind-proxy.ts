import { request } from 'node:https';
import { expect } from 'vitest';
import { TestNode } from './node.ts';
import { type Backends, ca } from './page-proxies.ts';
import type { ProxyProcess } from './proxy-process.ts';
import { TestClient } from './test-client.ts';
import { until } from './until.ts';

/** A stream of events, as it comes. */
export interface EventText {
  readonly status: number;
  readonly text: string;
  readonly ended: boolean;
}

export const connectionsOf = (nodes: Backends) => Promise.all(nodes.map((node) => node.metric('stentor_connections')));

/** What the tests of proxies start, and clients that reach nodes through a proxy. All of it ends with {@link stop}. */
export class BehindProxy {
  readonly #running: (() => Promise<unknown>)[] = [];

  async stop(): Promise<void> {
    for (const stop of this.#running.splice(0).reverse()) await stop();
  }

  onStop(stop: () => Promise<unknown>): void {
    this.#running.push(stop);
  }

  async proxy(starting: Promise<ProxyProcess>): Promise<ProxyProcess> {
    const proxy = await starting;
    this.onStop(() => proxy.stop());
    return proxy;
  }

  async node(settings: Readonly<Record<string, unknown>>): Promise<TestNode> {
    const node = await TestNode.start({ namespaces: { scores: { public: true } }, ...settings });
    this.onStop(() => node.stop());
    return node;
  }

  async connect(proxy: ProxyProcess, headers: Readonly<Record<string, string>> = {}): Promise<TestClient> {
    const client = await TestClient.connect(`wss://127.0.0.1:${proxy.port}/ws`, { encoding: 'msgpack', socket: { ca, headers } });
    this.onStop(() => client.close());
    return client;
  }

  stream(proxy: ProxyProcess): EventText {
    const told = { status: 0, text: '', ended: false };
    const asked = request({ port: proxy.port, host: '127.0.0.1', path: '/sse?topic=scores.a', ca, agent: false }, (response) => {
      told.status = response.statusCode ?? 0;
      response.setEncoding('utf8').on('data', (text: string) => {
        told.text += text;
      });
      response.once('close', () => {
        told.ended = true;
      });
      response.once('error', () => undefined);
    });
    asked.once('error', () => {
      told.ended = true;
    });
    asked.end();
    this.onStop(async () => asked.destroy());
    return told;
  }

  /** Ten clients are spread over both nodes, and each gets what is published. */
  async expectShared(nodes: Backends, proxy: ProxyProcess): Promise<void> {
    const clients: TestClient[] = [];
    for (let i = 0; i < 10; i++) clients.push(await this.connect(proxy));
    const counts = await connectionsOf(nodes);
    expect(counts[0]! + counts[1]!).toBe(10);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    for (const client of clients) {
      client.track('scores.a');
      await client.subscribe('scores.a');
    }
    for (let n = 0; n < 5; n++) for (const node of nodes) await node.publish('scores.a', n);
    for (const client of clients) await until('the publications', () => client.track('scores.a').items.length === 5);
  }

  /** An event is passed on when it comes, and not only when there are more. */
  async expectEventByEvent(nodes: Backends, proxy: ProxyProcess): Promise<void> {
    const events = this.stream(proxy);
    await until('the stream to begin', () => events.text.includes('event: subscribed'));
    for (const n of ['first', 'second']) {
      for (const node of nodes) await node.publish('scores.a', n);
      await until(`the ${n} event`, () => events.text.includes(n));
    }
    expect(events).toMatchObject({ status: 200, ended: false });
  }

  /** @param often through a proxy with a timeout of 2 s, of nodes that ping every 0.4 s @param seldom the same, of nodes that do not */
  async expectKeptByPings(often: ProxyProcess, seldom: () => Promise<ProxyProcess>): Promise<void> {
    const events = this.stream(often);
    const client = await this.connect(often);
    // Ten pings take twice the timeout.
    await until('ten pings', () => client.pings >= 10);
    await client.settle();
    expect(events).toMatchObject({ status: 200, ended: false });
    expect(await (await this.connect(await seldom())).closed).toMatchObject({ code: 1006 });
  }

  /** The first node becomes not ready: it gets no more clients, and keeps those that it has. */
  async expectAvoidedWhileNotReady(nodes: Backends, proxy: ProxyProcess, clients: readonly TestClient[]): Promise<void> {
    // As when NATS is away: it says that it is not ready, and would accept clients.
    Object.defineProperty(nodes[0]!.bus, 'connected', { get: () => false });
    const fourMore = async () => {
      const [before] = await connectionsOf(nodes);
      for (let i = 0; i < 4; i++) await this.connect(proxy);
      return (await connectionsOf(nodes))[0] === before;
    };
    // Once may be chance: the proxies choose the less busy of two at random.
    await until('the proxy to notice', async () => (await fourMore()) && (await fourMore()) && (await fourMore()));
    expect(await fourMore()).toBe(true);
    for (const client of clients) await client.settle();
  }
}

/** Ten of these take twice the timeout of a proxy that waits for 2 s. */
export const PINGS_OFTEN = { 'heartbeat.pingIntervalMs': 400, 'tuning.connections.pongTimeoutMs': 300 };
