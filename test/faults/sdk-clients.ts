import { Client } from '../../src/client/index.ts';
import type { WebSocketConstructor } from '../../src/client/websocket.ts';
import { until } from '../support/until.ts';
import { ClientCheck } from './checker.ts';
import { type Acknowledged, addVerdicts, type Life, type Verdict } from './ledger.ts';
import { monoMs } from './time.ts';

type Told =
  | { readonly kind: 'start'; readonly epoch: string; readonly offset: number; readonly snapshot: number | null }
  | { readonly kind: 'item'; readonly epoch: string; readonly offset: number; readonly id: number };

interface Payload {
  readonly id: number;
}

/** Clients of the SDK, with what their applications' callbacks were given. */
export class SdkClients {
  /** Events that clients got without a request: errors by code, and that the feed is not live. */
  readonly told: Record<string, number> = {};
  readonly #clients: { readonly client: Client; readonly topic: string; readonly told: Told[] }[] = [];

  /**
   * @param ports client i begins with port i modulo their number
   * @param secure WebSockets over TLS; without it, all is plain
   */
  constructor(count: number, ports: readonly number[], topics: readonly string[], secure?: WebSocketConstructor) {
    const urls = ports.map((port) => `${secure === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}/ws`);
    for (let i = 0; i < count; i++) {
      const turned = [...urls.slice(i % urls.length), ...urls.slice(0, i % urls.length)];
      const client = new Client({ url: turned, WebSocket: secure });
      const topic = topics[i % topics.length]!;
      const told: Told[] = [];
      client.on('error', ({ code }) => {
        this.told[code] = (this.told[code] ?? 0) + 1;
      });
      client.on('feed', ({ live }) => {
        if (!live) this.told.feedAway = (this.told.feedAway ?? 0) + 1;
      });
      this.#clients.push({ client, topic, told });
      listen(client, topic, told);
    }
  }

  /** Of the log, as the first client knows it. */
  get epoch(): string {
    return this.#clients[0]?.told[0]?.epoch ?? '';
  }

  /** Resolves when every subscription has started. */
  async connect(): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.connect()));
    await until('the SDK clients to be subscribed', () => this.#clients.every(({ told }) => told.length > 0));
  }

  /** Resolves when all have been given something as late as these, by topic; or when the time is over. @returns how many were not */
  async reach(offsets: Readonly<Record<string, number>>, timeoutMs: number): Promise<number> {
    const deadlineMs = monoMs() + timeoutMs;
    for (;;) {
      const behind = this.#clients.filter(({ topic, told }) => (told.at(-1)?.offset ?? -1) < (offsets[topic] ?? 0)).length;
      if (behind === 0 || monoMs() > deadlineMs) return behind;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  check(lives: readonly Life[]): Verdict {
    return addVerdicts(
      this.#clients.map(({ topic, told }) => {
        const check = new ClientCheck(topic, lives);
        for (const one of told) {
          if (one.kind === 'start') check.start(one.epoch, one.offset, one.snapshot);
          else check.deliver(one.epoch, one.offset, one.id);
        }
        return check.end();
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.close()));
  }
}

function listen(client: Client, name: string, told: Told[]): void {
  /** The state that came with the first subscription, before its `subscribed`. */
  let first: number | null = null;
  const topic = client.topic<Payload>(name, {
    snapshot: true,
    onSubscribed: ({ epoch, offset }) => {
      if (told.length === 0) told.push({ kind: 'start', epoch, offset, snapshot: first });
    },
    onResync: ({ epoch, offset, items }) => void told.push({ kind: 'start', epoch, offset, snapshot: items.at(-1)?.offset ?? null }),
  });
  topic.subscribe(({ epoch, offset, data, source }) => {
    if (source !== 'snapshot') told.push({ kind: 'item', epoch, offset, id: data.id });
    else if (told.length === 0) first = offset;
  });
}

export interface ClientFeedOptions {
  readonly ports: readonly number[];
  readonly topics: readonly string[];
  readonly token: string;
  readonly ratePerSecond: number;
  readonly firstId: number;
}

/** Publishes through the nodes, as clients do: the SDK sends again until the log has it. */
export class ClientFeed {
  readonly acknowledged: Acknowledged[] = [];
  /** Rejected: by the error's code. */
  readonly failed: Record<string, number> = {};
  duplicates = 0;
  readonly #options: ClientFeedOptions;
  readonly #client: Client;
  readonly #waiting = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #nextId: number;

  constructor(options: ClientFeedOptions) {
    const { ports, token } = options;
    this.#options = options;
    this.#nextId = options.firstId;
    this.#client = new Client({
      url: ports.map((port) => `ws://127.0.0.1:${port}/ws`),
      token,
      publish: { queueMax: 10_000, inFlightMax: 32 },
    });
    // What becomes of each publish is written down; that the broker is away is known.
    this.#client.on('error', () => {});
  }

  get published(): number {
    return this.#nextId - this.#options.firstId;
  }

  async start(): Promise<void> {
    await this.#client.connect();
    this.#timer = setInterval(() => {
      const publishing = this.#publish().finally(() => this.#waiting.delete(publishing));
      this.#waiting.add(publishing);
    }, 1000 / this.#options.ratePerSecond);
  }

  /** Ends publishing; resolves when everything is answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.close();
  }

  async #publish(): Promise<void> {
    const id = this.#nextId++;
    const { topics } = this.#options;
    const topic = topics[id % topics.length]!;
    try {
      const { offset = 0, duplicate } = await this.#client.publish(topic, { id });
      if (duplicate) this.duplicates++;
      this.acknowledged.push({ topic, id, offset });
    } catch (error) {
      const code = (error as { code?: string }).code ?? String(error);
      this.failed[code] = (this.failed[code] ?? 0) + 1;
    }
  }
}
