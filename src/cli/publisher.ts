import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PublishAck } from '../bus/bus.ts';
import type { NatsProducer } from '../bus/nats/nats-producer.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import { parseJson } from '../protocol/json-codec.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { keyProblem, sizeProblem, topicProblem } from '../protocol/publish-rules.ts';
import { type Key, namespaceOf, type Topic } from '../protocol/topic.ts';
import { AnswerError, Connection, type Endpoint } from './connection.ts';
import { CliError } from './errors.ts';
import { note } from './output.ts';

export interface OutgoingPublication {
  readonly topic: Topic;
  readonly key: Key | null;
  /** One JSON value as text. */
  readonly json: string;
}

/** Where `publish` and `replay` send to: straight to NATS, or to a node over WebSocket. */
export interface Publisher {
  /** For people: where it goes. */
  readonly destination: string;
  /** Publications that may wait for their acks at once without risk to their order. */
  readonly windowMax: number;
  /** Publications a second that the other side takes. */
  readonly ratePerSecondMax: number;
  publish(publication: OutgoingPublication): Promise<PublishAck>;
  close(): Promise<void>;
}

/** How long a publication that a node cannot take now is tried again. */
const RETRY_BUDGET_MS = 60_000;
const RETRY_PAUSE_MS = 250;
/** Enough to hide the way to the log and back; NATS keeps the order in which they leave. */
const NATS_WINDOW = 256;

export interface PublisherOptions {
  readonly topic: Topic;
  /** Used when the config has no NATS, or `overNode` says so. */
  readonly endpoint: Endpoint;
  readonly overNode: boolean;
  /** Make the stream of the topic's namespace where NATS has none. */
  readonly create: boolean;
}

/** @throws CliError, BusError */
export async function openPublisher(config: Config, { topic, endpoint, overNode, create }: PublisherOptions): Promise<Publisher> {
  if (overNode || config.nats.url === '') return nodePublisher(endpoint);
  const namespace = namespaceOf(topic);
  if (namespaceOptions(config, namespace) === undefined) throw unknownNamespace(config, namespace);
  // Loaded here, so that commands that talk to a node do not load the NATS client.
  const { NatsProducer } = await import('../bus/nats/nats-producer.ts');
  let closing = false;
  const producer = await NatsProducer.open(config, {
    namespace,
    createStream: create,
    onNotice({ level, message }) {
      // That a connection goes when it is closed is no news.
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
    async publish({ topic, key, json }) {
      const payload = encoder.encode(json);
      assertFits(config, topic, key, payload.length);
      return producer.publish({ topic, key, payload, payloadKind: 'json' });
    },
    close,
  };
}

/** Over NATS nobody answers for a publication that nodes will skip, so what they would refuse is refused here. */
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
    `${namespace} is no configured namespace (there are ${Object.keys(namespaces).join(', ')}); see --config`,
  );
}

async function nodePublisher(endpoint: Endpoint): Promise<Publisher> {
  const { connection, connected } = await Connection.open(endpoint);
  return {
    destination: endpoint.url,
    // One at a time: a node may refuse one for now and take the next, which would turn them round.
    windowMax: 1,
    // Below the limit, since refusals are counted and too many end the connection.
    ratePerSecondMax: connected.limits.messagesPerSecondMax * 0.9,
    publish: (publication) => publishToNode(connection, publication),
    async close() {
      connection.close();
      await connection.closed;
    },
  };
}

/** Tries again while the node says that it may; the idempotency key keeps a publication from being stored twice. */
async function publishToNode(connection: Connection, { topic, key, json }: OutgoingPublication): Promise<PublishAck> {
  const command = {
    type: 'publish',
    topic,
    ...(key === null ? {} : { key }),
    data: parseJson(new TextEncoder().encode(json), DATA_DEPTH_MAX),
    idempotencyKey: randomUUID(),
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
