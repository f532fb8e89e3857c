import { Client, type ClientOptions, type ConnectionState, type Item, type Topic, type TopicOptions } from '../../../src/client/index.ts';
import type { CaseServerCommand, CaseServerCommands } from '../case-server.ts';

/** Nothing here is Node's or the browser's own: the cases run in both. */

export interface Case {
  readonly name: string;
  run(context: CaseContext): Promise<void>;
}

export interface Remote {
  /** Of the proxy. */
  readonly url: string;
  /** Cuts, in the case that is about them. */
  readonly cuts: number;
  /** Instead of the one that the SDK finds. */
  readonly WebSocket?: ClientOptions['WebSocket'] | undefined;
  run<K extends CaseServerCommand>(name: K, ...args: Parameters<CaseServerCommands[K]>): Promise<ReturnType<CaseServerCommands[K]>>;
}

const WAIT_MS = 30_000;
/** No time that a case measures is longer: one that is was measured in another unit, or from another beginning. */
export const TEST_MS = 300_000;
/**
 * An attempt that is cut half-open in its handshake waits for this time. With the default of 10 s, three in a row would be all the time that a case waits for
 * anything.
 */
const CONNECT_TIMEOUT_MS = 3000;
/** The rule is the same as by default, the figures are a test's. */
const FAST_BACKOFF = { baseMs: 2, maxMs: 200, jitterMs: 10, stableAfterMs: 0 };

/** Opens clients for one case, and closes them when the case is over. */
export class CaseContext {
  readonly remote: Remote;
  readonly #clients: Client[] = [];

  constructor(remote: Remote) {
    this.remote = remote;
  }

  /** A topic that no other case uses. */
  topicName(namespace = 'open'): string {
    return `${namespace}.${this.unique('t')}`;
  }

  /** A name that no other case uses, in any process. */
  unique(prefix: string): string {
    return `${prefix}${crypto.randomUUID().slice(0, 13)}`;
  }

  client(options: Partial<ClientOptions> = {}): Client {
    const { url, WebSocket } = this.remote;
    const client = new Client({
      url,
      backoff: FAST_BACKOFF,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      pongTimeoutMs: 300,
      ...(WebSocket !== undefined && { WebSocket }),
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async connected(options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = this.client(options);
    await client.connect();
    return client;
  }

  /** Subscribed when it resolves. */
  async listen<T = Numbered>(client: Client, name: string, options: TopicOptions<T> = {}): Promise<TopicRecorder<T>> {
    const recorder = new TopicRecorder<T>(client, name, options);
    await until(`${name} to be subscribed`, () => recorder.subscribed > 0);
    return recorder;
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
    await this.remote.run('reset');
  }
}

export interface Numbered {
  readonly n: number;
}

/** Records what a topic's callbacks are given. */
export class TopicRecorder<T = Numbered> {
  readonly topic: Topic<T>;
  readonly items: Item<T>[] = [];
  readonly resyncs: { readonly reason: string; readonly items: readonly Item<T>[]; readonly after: number }[] = [];
  readonly errors: { readonly code: string }[] = [];
  lagged = 0;
  subscribed = 0;
  recovered = 0;
  rateHz: number | undefined;
  stop: () => void;

  constructor(client: Client, name: string, options: TopicOptions<T> = {}) {
    this.topic = client.topic<T>(name, {
      onSubscribed: ({ recovered, rateHz }) => {
        this.subscribed++;
        if (recovered) this.recovered++;
        this.rateHz = rateHz;
      },
      onResync: ({ reason, items }) => this.resyncs.push({ reason, items, after: this.items.length }),
      onLagged: ({ skipped }) => {
        this.lagged += skipped;
      },
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.stop = this.topic.subscribe((item) => this.items.push(item));
  }

  get numbers(): number[] {
    return (this.items as unknown as Item<Numbered>[]).map(({ data }) => data.n);
  }

  get offsets(): number[] {
    return this.items.map(({ offset }) => offset);
  }

  async reaches(n: number): Promise<void> {
    await until(`item ${n}`, () => this.numbers.at(-1) === n);
  }

  async count(count: number): Promise<void> {
    await until(`${count} items`, () => this.items.length >= count);
  }
}

/** Records the states of a client. */
export function statesOf(client: Client): ConnectionState[] {
  const states: ConnectionState[] = [client.state];
  client.on('state', (state) => states.push(state));
  return states;
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${WAIT_MS} ms for ${what}`);
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`${what}: expected ${wanted?.slice(0, 600)}, got ${found?.slice(0, 600)}`);
}

export function holds(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`expected ${what}`);
}

/** The numbers 1 to `count`, each once and in order. */
export function whole(numbers: readonly number[], count: number): void {
  for (const [index, n] of numbers.entries()) {
    if (n !== index + 1) throw new Error(`item ${index + 1} is ${n}: …${numbers.slice(Math.max(0, index - 3), index + 3)}…`);
  }
  equal(numbers.length, count, 'items');
}

/** The code that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name;
  }
  return 'resolved';
}
