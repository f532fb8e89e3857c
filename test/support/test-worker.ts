import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Delivery } from '../../src/delivery/delivery.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import type { ToHub, ToWorker } from '../../src/link/messages.ts';
import { type LinkItem, PublicationMessage } from '../../src/link/publication-message.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import { CODECS } from '../../src/protocol/codecs.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import type { Connection } from '../../src/session/connection.ts';
import { Connections } from '../../src/session/connections.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { WorkerMetrics } from '../../src/worker/worker-metrics.ts';
import { FakeSocket } from './fake-socket.ts';
import { source } from './fanout-fixtures.ts';
import { SECRET } from './tokens.ts';
import { until } from './until.ts';

type Kind<K extends ToHub['kind']> = Extract<ToHub, { kind: K }>;

export interface ClientOptions {
  readonly token?: string;
  readonly encoding?: Encoding;
  readonly isNative?: boolean;
  /** A stream of events: the query of its request, and the id of the last event. */
  readonly stream?: readonly [query: string, lastEventId: string];
}

/** A client of a {@link TestWorker}, behind a socket that is the test's. */
export class FakeClient {
  readonly connection: Connection;
  readonly socket: FakeSocket;
  readonly #encoding: Encoding;
  readonly #connections: Connections;

  constructor(connections: Connections, { token, encoding = 'json', stream, isNative = stream === undefined }: ClientOptions) {
    this.socket = new FakeSocket({ isNative });
    this.#connections = connections;
    this.#encoding = encoding;
    const asked = stream && connections.streamOf(...stream);
    if (asked?.kind === 'refused') throw new Error(asked.message);
    this.connection = connections.accept({ socket: this.socket, address: '', encoding }, asked?.stream);
    this.socket.onClosed = (code) => connections.closed(this.connection, code, new ArrayBuffer(0));
    if (asked === undefined) connections.opened(this.connection, token);
    else connections.openedStream(this.connection, token, asked.stream);
  }

  /** One frame: a message, or an array of them. */
  say(message: unknown): void {
    const { encode, binary } = CODECS[this.#encoding];
    const bytes = Uint8Array.from(encode(message));
    this.#connections.message(this.connection, bytes.buffer, binary);
  }

  /** Bytes as they are. */
  sayRaw(bytes: Uint8Array, isBinary = false): void {
    this.#connections.message(this.connection, Uint8Array.from(bytes).buffer, isBinary);
  }

  /** Also those of arrays. */
  get sent(): ServerMessage[] {
    return this.socket.frames.flatMap((frame) => CODECS[this.#encoding].decode(frame) as ServerMessage | ServerMessage[]);
  }

  ofType<T extends ServerMessage['type']>(type: T): ServerMessage<T>[] {
    return this.sent.filter((message): message is ServerMessage<T> => message.type === type);
  }

  /** The codes of the errors that it was sent. */
  get errors(): string[] {
    return this.ofType('error').map(({ code }) => code);
  }

  /** The answer to the command of this id, when it has come. */
  async answerTo(id: number): Promise<ServerMessage> {
    const find = () => this.sent.find((message) => 'id' in message && message.id === id);
    await until(`the answer to ${id}`, () => find() !== undefined);
    return find() as ServerMessage;
  }

  /** Says it, and gives the answer to it. */
  ask(message: { readonly id: number; readonly [field: string]: unknown }): Promise<ServerMessage> {
    this.say(message);
    return this.answerTo(message.id);
  }
}

/** A worker whole but for uWebSockets: its clients have fake sockets, and its hub is the test. */
export class TestWorker {
  readonly config: Config;
  readonly delivery: Delivery;
  readonly connections: Connections;
  /** What the worker has asked of the hub. */
  readonly toHub: ToHub[] = [];
  /** Frames that were published natively, by shard. */
  readonly published: { readonly shard: string; readonly frame: Uint8Array }[] = [];
  readonly bugs: Error[] = [];
  readonly #authenticator: Authenticator;
  #nextTopic = 1;
  readonly #numbers = new Map<string, number>();

  private constructor(config: Config, authenticator: Authenticator) {
    this.config = config;
    this.#authenticator = authenticator;
    const { hubEnd, workerEnd } = createInProcessLink();
    hubEnd.onMessages((messages) => this.toHub.push(...messages));
    const metrics = new WorkerMetrics(0);
    const onBug = (error: Error) => void this.bugs.push(error);
    this.delivery = new Delivery({
      config,
      link: workerEnd,
      publish: (shard, frame) => void this.published.push({ shard, frame }),
      receiverOf: (id) => this.connections.find(id)?.receiver,
      metrics: metrics.delivery,
      onWorkerMessage: () => undefined,
      onBug,
    });
    this.connections = new Connections({
      config,
      nodeId: 'node',
      idPrefix: 'c',
      connectionsMax: 100,
      delivery: this.delivery,
      authenticator,
      metrics: metrics.session,
      logger: createLogger(config.log),
      whyUnavailable: () => undefined,
      onOpened: () => undefined,
      onBug,
    });
  }

  static async create(settings: Readonly<Record<string, unknown>> = {}): Promise<TestWorker> {
    const flags = { 'auth.keys': [{ alg: 'HS256', secret: SECRET }], 'log.level': 'silent', ...settings };
    const { config } = loadConfig({ env: {}, flags });
    const auth = { ...config.auth, ...config.tuning.auth };
    return new TestWorker(config, await Authenticator.create({ auth, logger: createLogger(config.log) }));
  }

  client(options: ClientOptions = {}): FakeClient {
    return new FakeClient(this.connections, options);
  }

  /** The hub says so. */
  hears(...messages: ToWorker[]): void {
    this.delivery.receive(messages);
  }

  /** The first question of this kind that has not been taken, when it has been asked. */
  async asked<K extends ToHub['kind']>(kind: K): Promise<Kind<K>> {
    const find = () => this.toHub.findIndex((message) => message.kind === kind);
    await until(`a question of kind ${kind}`, () => find() !== -1);
    return this.toHub.splice(find(), 1)[0] as Kind<K>;
  }

  /** The hub opens a topic that the worker has asked for. */
  async open(topic: string): Promise<void> {
    await until(`${topic} to be asked for`, () => this.toHub.some((message) => message.kind === 'open' && message.topic === topic));
    this.toHub.splice(
      this.toHub.findIndex((message) => message.kind === 'open' && message.topic === topic),
      1,
    );
    const topicNumber = this.#nextTopic++;
    this.#numbers.set(topic, topicNumber);
    this.hears({ kind: 'opened', topic: topic as Topic, topicNumber, epoch: 'e1', offset: 0, completeFrom: 0, items: [] });
  }

  /** As it comes from the hub. */
  publication(topic: string, offset: number, value?: unknown): PublicationMessage {
    const item = source(offset, value === undefined ? {} : { value }) as LinkItem;
    return new PublicationMessage(this.#numbers.get(topic) as number, offset - 1, item);
  }

  stop(): void {
    this.connections.stop();
    this.delivery.stop();
    this.#authenticator.stop();
  }
}
