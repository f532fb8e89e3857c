import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { TestNode } from '../support/node.ts';
import { type Cut, TestProxy } from '../support/proxy.ts';
import { type TokenOptions, tokenOf } from '../support/tokens.ts';

/**
 * What the conformance cases ask of their surroundings, wherever they run: in this process, in another Node, in a browser. Arguments and results are JSON,
 * since they travel over HTTP.
 */
export interface CaseServerCommands {
  /** Publishes `{ n: 1 }`, `{ n: 2 }`, … at a rate, as a producer would; `pad` bytes of text with each, `keys` keys in turn. */
  feed(options: { topic: string; ratePerSecond: number; pad?: number; keys?: number }): void;
  /** @returns how many there were */
  stopFeed(): number;
  publish(topic: string, data: unknown, key?: string): { epoch: string; offset: number };
  /** Everything in the topic's log, oldest first: `[offset, value]`. */
  log(topic: string): [number, unknown][];
  cut(how?: Cut): number;
  /** So many cuts at random moments and places, with delays, slices, stalls and half-open connections between. */
  randomCuts(options: { count: number; liveMsMax: number; stallMs: number }): number;
  /** The proxy's settings. */
  proxy(settings: { delayMs?: number; sliceBytesMax?: number; refusing?: boolean; stalled?: boolean; swallowing?: boolean }): void;
  /** Connections that the proxy has taken so far, and that are open. */
  connections(): { accepted: number; open: number };
  token(options?: TokenOptions): string;
  /** Answers calls of `method` with what it was asked, or never. */
  serve(method: string, answers: boolean): void;
  /** Ends the node, and starts another in its place, whose log is empty. */
  restart(): void;
  /** Everything is as it was at first; topics keep what they have. */
  reset(): void;
}

export type CaseServerCommand = keyof CaseServerCommands;

/** Far below the defaults, so that silence and expiry are seen soon. */
const SETTINGS = {
  'heartbeat.pingIntervalMs': 400,
  'tuning.connections.pongTimeoutMs': 300,
  'limits.messagesPerSecondMax': 2000,
  'limits.messageBytesMax': 65_536,
  // Small, so that what was missed is read from the log as well as from what is held of it.
  // On a slow machine a client is away for so long that it misses more than the default.
  'tuning.recovery.recoveryBytesMax': 33_554_432,
  'tuning.recent.itemsPerTopicMax': Number(process.env.RING ?? 64),
  'auth.clockToleranceMs': 0,
  namespaces: {
    open: { public: true, clientPublish: true },
    keyed: { public: true, clientPublish: true, state: 'keyed', slowConsumer: 'conflate' },
    packed: { public: true, clientPublish: true, payload: 'msgpack' },
    short: { public: true, history: { maxCount: 5 } },
    passing: { durable: false, public: true, clientPublish: true },
    closed: { clientPublish: true },
  },
};

/**
 * What the conformance cases run against: a node, a proxy in front of it, and an HTTP server that takes the cases' commands and serves the page on which
 * browsers run them.
 */
export class CaseServer {
  readonly proxy: TestProxy;
  #node: TestNode;
  readonly #http: Server;
  readonly #script: () => string;
  #feedTimer: NodeJS.Timeout | undefined;
  #published = 0;
  /** Counts the ends of random cuts: a case that fails leaves none to the next. */
  #cutting = 0;
  #stopServing: (() => void)[] = [];

  private constructor(node: TestNode, proxy: TestProxy, http: Server, script: () => string) {
    this.#node = node;
    this.proxy = proxy;
    this.#http = http;
    this.#script = script;
    http.on('request', (request, response) => void this.#answer(request, response));
  }

  /** @param script what the page runs */
  static async start(script: () => string = () => ''): Promise<CaseServer> {
    const node = await TestNode.start(SETTINGS);
    const proxy = await TestProxy.start(node.running.port);
    const http = createServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new CaseServer(node, proxy, http, script);
  }

  /** For HTTP: commands are POSTed to `/<command>` with their arguments; the page is at `/`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#commands.reset();
    this.#http.close();
    this.#http.closeAllConnections();
    await this.proxy.stop();
    await this.#node.stop();
  }

  readonly #commands: { [K in CaseServerCommand]: (...args: Parameters<CaseServerCommands[K]>) => unknown } = {
    feed: (options) => this.#feed(options),
    stopFeed: () => {
      clearInterval(this.#feedTimer);
      return this.#published;
    },
    publish: async (topic, data, key) => this.#node.publish(topic, data, key === undefined ? {} : { key }),
    log: async (topic) => {
      const log = this.#node.bus.log(topic.split('.')[0] as string);
      const publications = await log.readLast(parseTopic(topic), 100_000);
      return publications.map(({ offset, payload }) => [offset, JSON.parse(Buffer.from(payload).toString())]);
    },
    cut: (how) => this.proxy.cut(how),
    randomCuts: (options) => this.#randomCuts(options),
    proxy: (settings) => {
      Object.assign(this.proxy, settings);
      if (settings.stalled === false) this.proxy.release();
    },
    connections: () => ({ accepted: this.proxy.accepted, open: this.proxy.open }),
    token: (options) => tokenOf(options),
    serve: (method, answers) => {
      const bus = this.#node.bus as MemoryBus;
      this.#stopServing.push(bus.serve(method, (data) => (answers ? data : new Promise(() => undefined))));
    },
    restart: async () => {
      const old = this.#node;
      const stopped = old.stop();
      this.#node = await TestNode.start(SETTINGS);
      this.proxy.target(this.#node.running.port);
      await stopped;
    },
    reset: () => {
      this.#cutting++;
      clearInterval(this.#feedTimer);
      for (const stop of this.#stopServing.splice(0)) stop();
      this.proxy.reset();
    },
  };

  /** A command from this process. */
  async run<K extends CaseServerCommand>(name: K, ...args: Parameters<CaseServerCommands[K]>): Promise<ReturnType<CaseServerCommands[K]>> {
    const result = await this.#commands[name](...args);
    // As it would come over HTTP: as JSON, and after other events have had their turn.
    await sleep(0);
    return result === undefined ? (undefined as never) : JSON.parse(JSON.stringify(result));
  }

  #feed({ topic, ratePerSecond, pad = 0, keys = 0 }: Parameters<CaseServerCommands['feed']>[0]): void {
    clearInterval(this.#feedTimer);
    this.#published = 0;
    const startedAtMs = performance.now();
    const text = 'x'.repeat(pad);
    this.#feedTimer = setInterval(() => {
      // By the clock, so that a late timer changes the rhythm and not the rate.
      const due = Math.floor(((performance.now() - startedAtMs) / 1000) * ratePerSecond);
      while (this.#published < due) {
        const n = ++this.#published;
        const key = keys === 0 ? {} : { key: `k${n % keys}` };
        void this.#node.publish(topic, pad === 0 ? { n } : { n, text }, key);
      }
    }, 5);
  }

  async #randomCuts({ count, liveMsMax, stallMs }: Parameters<CaseServerCommands['randomCuts']>[0]): Promise<number> {
    const { proxy } = this;
    const turn = ++this.#cutting;
    let cuts = 0;
    while (cuts < count) {
      proxy.delayMs = chance(0.2) ? Math.ceil(Math.random() * 10) : 0;
      proxy.sliceBytesMax = chance(0.3) ? Math.ceil(Math.random() * 100) : 0;
      await this.#untilOpen(turn);
      if (turn !== this.#cutting) return cuts;
      const luck = Math.random();
      if (luck < 0.5) {
        // In the middle of a frame: of the handshake, of what is recovered, of the stream.
        const cut = proxy.cutAfter(Math.floor(Math.random() * 4000), chance(0.5) ? 'reset' : 'end');
        cuts += await Promise.race([cut, sleep(1000, 0)]);
      } else if (luck < 0.98) {
        // From when it is in: a slow machine would else never get on, and what it missed would outlive the log.
        await this.#untilDown(HANDSHAKE_BYTES);
        await sleep(Math.random() * liveMsMax);
        cuts += proxy.cut(chance(0.5) ? 'reset' : 'end');
      } else if (luck < 0.99) {
        cuts += proxy.cut('half');
      } else {
        proxy.stalled = true;
        await sleep(stallMs);
        proxy.release();
        cuts += proxy.cut();
      }
    }
    proxy.reset();
    return cuts;
  }

  /** Until the server has sent so much more, for half a second at most. */
  async #untilDown(bytes: number): Promise<void> {
    const { proxy } = this;
    const end = proxy.bytesDown + bytes;
    const deadlineMs = performance.now() + 500;
    while (proxy.bytesDown < end && performance.now() < deadlineMs) await sleep(1);
  }

  async #untilOpen(turn: number): Promise<void> {
    while (this.proxy.open === 0 && turn === this.#cutting) await sleep(1);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    if (request.method === 'GET') {
      // No inline scripts and no eval: the SDK must run on pages with a strict policy.
      response.setHeader('content-security-policy', "default-src 'none'; script-src 'self'; connect-src *");
      const isScript = path === '/script.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? this.#script() : '<!doctype html><script type="module" src="/script.js"></script>');
      return;
    }
    try {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      const name = path.slice(1) as CaseServerCommand;
      const result = await this.run(name, ...(JSON.parse(body) as never));
      response.setHeader('content-type', 'application/json').end(JSON.stringify(result ?? null));
    } catch (error) {
      response.writeHead(500).end(String((error as Error).stack));
    }
  }
}

/** The upgrade, `connected`, and the beginning of `subscribed`. */
const HANDSHAKE_BYTES = 1000;

function chance(share: number): boolean {
  return Math.random() < share;
}

function sleep<T = void>(ms: number, value?: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value as T), ms));
}
