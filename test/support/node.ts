import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import type { PublishAck, PublishRequest } from '../../src/bus/publication.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type DemoOptions, type RunningNode, startNodeOn } from '../../src/node.ts';
import { parseKey, parseTopic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { readMetric } from './metrics.ts';
import { TestClient, type TestClientOptions } from './test-client.ts';
import { HS256_KEYS } from './tokens.ts';
import { until } from './until.ts';

/** Longer than any machine stalls: a node that answers is waited for. */
const ANSWER_TIMEOUT_MS = 30_000;

/** A config of a node under test: settings by path, on any free port, with the key that test tokens are signed with. */
export function testSettings(settings: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    host: '127.0.0.1',
    port: 0,
    'admin.port': 0,
    workers: 0,
    'log.level': 'debug',
    'auth.keys': HS256_KEYS,
    'limits.connectionsPerUserMax': 0,
    'tuning.hub.orderTimeoutMs': ANSWER_TIMEOUT_MS,
    'tuning.hub.findTimeoutMs': ANSWER_TIMEOUT_MS,
    ...settings,
  };
}

export interface Publish {
  readonly key?: string;
  readonly kind?: PublishRequest['payloadKind'];
  /** It replaces a document as a whole. */
  readonly image?: boolean;
  readonly tags?: PublishRequest['tags'];
}

/** A node in this process, its clients and its log. Its memory bus is the producer. */
export class TestNode {
  readonly running: RunningNode;
  /** The node's own. */
  readonly bus: Bus;
  /** Lines of its log. */
  readonly log: string[];
  /** `admin.token`, if it is set. */
  readonly #adminToken: string;
  readonly #clients: TestClient[] = [];

  private constructor(running: RunningNode, bus: Bus, log: string[], adminToken: string) {
    this.running = running;
    this.bus = bus;
    this.log = log;
    this.#adminToken = adminToken;
  }

  static async start(settings: Readonly<Record<string, unknown>> = {}, { demo }: { readonly demo?: DemoOptions } = {}): Promise<TestNode> {
    const { config } = loadConfig({ env: {}, flags: testSettings(settings) });
    const log: string[] = [];
    const logger = createLogger(config.log, { write: (line) => void log.push(line) });
    let bus: Bus | undefined;
    const makeBus: typeof createBus = async (...args) => {
      bus = await createBus(...args);
      return bus;
    };
    const running = await startNodeOn(makeBus, config, { log: logger, demo });
    return new TestNode(running, bus as Bus, log, config.admin.token);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.running.port}/ws`;
  }

  /** A client with a WebSocket that is open; closed by {@link stop}. */
  async connect(options: TestClientOptions = { encoding: 'json' }): Promise<TestClient> {
    const client = await TestClient.connect(this.url, options);
    this.#clients.push(client);
    return client;
  }

  /** A producer's publication: text and objects as JSON, bytes as they are. */
  publish(topic: string, data: unknown, { key, kind = 'json', image, tags }: Publish = {}): Promise<PublishAck> {
    const payload = data instanceof Uint8Array ? data : Buffer.from(JSON.stringify(data));
    const parsedKey = key === undefined ? null : parseKey(key);
    return this.bus.publish({ topic: parseTopic(topic), key: parsedKey, payload, payloadKind: kind, image, tags });
  }

  admin(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.running.adminPort}${path}`, { headers });
  }

  /** A metric's value, added up over all label sets that have these labels; 0 when it is not there. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const headers: Readonly<Record<string, string>> = this.#adminToken === '' ? {} : { Authorization: `Bearer ${this.#adminToken}` };
    const answer = await this.admin('/metrics', headers);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`/metrics was refused: ${text}`);
    return readMetric(text, name, labels);
  }

  async untilMetric(name: string, fits: (value: number) => boolean, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await until(`${name} to fit`, async () => fits(await this.metric(name, labels)));
  }

  /** Until it knows so many nodes that are not silent, itself too. It waits for the answers of those only. */
  untilNodes(count: number): Promise<void> {
    return this.untilMetric('stentor_nodes', (nodes) => nodes === count);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.running.stop();
  }
}
