import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsProducer } from '../bus/nats/nats-producer.ts';
import type { Marks, PublishAck } from '../bus/publication.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import { parseJson } from '../protocol/json-codec.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { keyProblem, sizeProblem, topicProblem } from '../protocol/publish-rules.ts';
import { type Key, namespaceOf, type Topic } from '../protocol/topic.ts';
import { AnswerError, Connection, type Endpoint } from './connection.ts';
import { CliError } from './errors.ts';
import { nodeUrl } from './node-url.ts';
import type { NodeOptions } from './options.ts';
import { note } from './output.ts';

export interface OutgoingPublication extends Pick<Marks, 'volatile' | 'image' | 'tags'> {
  readonly topic: Topic;
  readonly key: Key | null;
  /** One JSON value as text. */
  readonly json: string;
  /** Not to this connection; only over NATS. */
  readonly exceptConnection?: string | undefined;
}

/** Where `publish` and `replay` send to: directly to NATS, or to a node over WebSocket. */
export interface Publisher {
  /** The destination, for messages to the user. */
  readonly destination: string;
  /** Number of publications that may wait for their acks at the same time and still stay in order. */
  readonly windowMax: number;
  /** Publications a second that the other side accepts. */
  readonly ratePerSecondMax: number;
  publish(publication: OutgoingPublication): Promise<PublishAck>;
  close(): Promise<void>;
}

/** For how long a publication is retried that a node cannot accept now. */
const RETRY_BUDGET_MS = 60_000;
const RETRY_PAUSE_MS = 250;
/** Enough to hide the round trip to the log. NATS keeps the order in which they are sent. */
const NATS_WINDOW = 256;

export interface PublisherOptions {
  readonly topic: Topic;
  /** Used if the config has no NATS, or if it names a URL. */
  readonly endpoint: NodeOptions;
  /** Create the stream of the topic's namespace if NATS does not have it. */
  readonly create: boolean;
}

/** @throws CliError, BusError */
export async function openPublisher(config: Config, { topic, endpoint, create }: PublisherOptions): Promise<Publisher> {
  const { url } = endpoint;
  if (url !== undefined || config.nats.url === '') return nodePublisher({ ...endpoint, url: url ?? nodeUrl(config) });
  const namespace = namespaceOf(topic);
  if (namespaceOptions(config, namespace) === undefined) throw unknownNamespace(config, namespace);
  // Loaded here, so that commands that use a node do not load the NATS client.
  const { NatsProducer } = await import('../bus/nats/nats-producer.ts');
  let closing = false;
  const producer = await NatsProducer.open(config, {
    namespace,
    createStream: create,
    onNotice({ level, message }) {
      // When this command closes the connection, there is nothing to report.
      if (level === 'warn' && !closing) note(`warning: ${message}`);
    },
  });
  return natsPublisher(producer, config, () => {
    closing = true;
    return producer.close();
  });
}

function natsPublisher(producer: NatsProducer, config: Config, close: () => Promise<void>): Publisher {
  const encoder = new TextEncoder();
  return {
    destination: config.nats.url.replace(/[^/@,\s]+@/g, ''),
    windowMax: NATS_WINDOW,
    ratePerSecondMax: Number.POSITIVE_INFINITY,
    async publish({ topic, key, json, image, volatile, tags, exceptConnection }) {
      const payload = encoder.encode(json);
      assertFits(config, topic, key, payload.length);
      if (volatile && namespaceOptions(config, namespaceOf(topic))?.durable)
        throw new CliError('unsupported', `${topic} is durable: nothing in it can be volatile`);
      const except = exceptConnection !== undefined && {
        origin: { user: '', connectionId: exceptConnection },
        noEcho: true as const,
      };
      return producer.publish({ topic, key, payload, payloadKind: 'json', image, volatile, tags, ...except });
    },
    close,
  };
}

/** Over NATS the producer gets no report of a publication that nodes skip. So this refuses what nodes would skip. */
function assertFits(config: Config, topic: Topic, key: Key | null, payloadBytes: number): void {
  const namespace = namespaceOf(topic);
  const options = namespaceOptions(config, namespace);
  if (options === undefined) throw unknownNamespace(config, namespace);
  const problem = topicProblem(topic, options) ?? keyProblem(topic, key !== null, options) ?? sizeProblem(payloadBytes, options);
  if (problem !== undefined) throw new CliError(problem.code, problem.message);
}

function unknownNamespace({ namespaces }: Config, namespace: string): CliError {
  return new CliError(
    'unknown_namespace',
    `${namespace} is not a configured namespace (configured: ${Object.keys(namespaces).join(', ')}); see --config`,
  );
}

async function nodePublisher(endpoint: Endpoint): Promise<Publisher> {
  const { connection, connected } = await Connection.open(endpoint);
  return {
    destination: endpoint.url,
    // One at a time: a node may refuse one for now and accept the next, which would change the order.
    windowMax: 1,
    // Below the limit, because refusals are counted, and too many close the connection.
    ratePerSecondMax: connected.limits.messagesPerSecondMax * 0.9,
    publish: (publication) => publishToNode(connection, publication),
    async close() {
      connection.close();
      await connection.closed;
    },
  };
}

/** Retries while the node says that this may succeed. The idempotency key prevents storing a publication twice. */
async function publishToNode(connection: Connection, publication: OutgoingPublication): Promise<PublishAck> {
  const { topic, key, json, image, volatile, tags, exceptConnection } = publication;
  if (exceptConnection !== undefined)
    throw new CliError('usage', '--except needs NATS: a client cannot leave out the connection of another', 2);
  const command = {
    type: 'publish',
    topic,
    ...(key === null ? {} : { key }),
    data: parseJson(new TextEncoder().encode(json), DATA_DEPTH_MAX),
    ...(image === true && { image }),
    idempotencyKey: randomUUID(),
    ...(volatile && { volatile }),
    ...(tags !== undefined && { tags }),
  } as const;
  const giveUpAtMs = performance.now() + RETRY_BUDGET_MS;
  while (true) {
    try {
      const { epoch = '', offset = 0, duplicate } = (await connection.request(command)) as ServerMessage<'published'>;
      return { epoch, offset, duplicate };
    } catch (error) {
      const pauseMs = error instanceof AnswerError && error.retryable ? (error.retryAfterMs ?? RETRY_PAUSE_MS) : undefined;
      if (pauseMs === undefined || performance.now() + pauseMs > giveUpAtMs) throw error;
      await sleep(pauseMs);
    }
  }
}
