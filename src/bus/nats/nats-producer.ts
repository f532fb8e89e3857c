import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import type { BusNotice } from '../bus.ts';
import { BusError } from '../bus-error.ts';
import { checkAddress } from '../check-address.ts';
import type { PublishAck, PublishRequest } from '../publication.ts';
import { streamNameOf, subjectOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { EphemeralPublisher } from './ephemeral-publisher.ts';
import { unreachable } from './errors.ts';
import { headersOf } from './headers.ts';
import type { NatsNames } from './names.ts';
import { openConnection } from './open-connection.ts';
import { OriginSignatures } from './origin-signatures.ts';
import { deniedIn, isInboxDenied } from './permissions.ts';
import { Publisher } from './publisher.ts';
import { type NatsSettings, natsSettings } from './settings.ts';
import { Streams } from './streams.ts';

export interface ProducerOptions {
  /** The only namespace that is published to. */
  readonly namespace: string;
  /** Create its stream if it is missing. */
  readonly createStream: boolean;
  readonly onNotice: (notice: BusNotice) => void;
}

/**
 * A producer for tools: it publishes to one namespace, and needs only the permission to publish. It creates nothing unless requested, does not compare the
 * stream with the config (nodes do that), and touches no other stream.
 */
export class NatsProducer {
  readonly #namespace: NamespaceOptions;
  readonly #stream: string;
  readonly #connection: Connection;
  readonly #publisher: Publisher;
  readonly #signatures: OriginSignatures;
  readonly #ephemeral: EphemeralPublisher;

  private constructor(name: string, namespace: NamespaceOptions, connection: Connection, nats: NatsSettings) {
    this.#namespace = namespace;
    this.#stream = streamNameOf(name);
    this.#connection = connection;
    this.#publisher = new Publisher(connection, nats, { followerRestarts: 0, publishRetries: 0, originsForged: 0 });
    this.#signatures = new OriginSignatures(nats.originSecrets);
    this.#ephemeral = new EphemeralPublisher(connection);
  }

  /** @throws BusError `unknown_namespace`, `bus_unreachable`, `server_too_old`, `jetstream_unavailable`, `stream_missing`, `permission_denied` */
  static async open(config: Config, { namespace: name, createStream, onNotice }: ProducerOptions): Promise<NatsProducer> {
    const nats = natsSettings(config);
    const namespace = namespaceOptions(config, name);
    if (namespace === undefined) throw new BusError('unknown_namespace', `${name} is not a configured namespace`);
    const { connection } = await openConnection(nats, 'stentor producer', (level, message) => onNotice({ level, message }), false);
    try {
      if (namespace.durable) await findStream(await Streams.open(connection, nats), connection.names, name, namespace, createStream);
      return new NatsProducer(name, namespace, connection, nats);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /**
   * Durable: resolves when the log has stored it. Only nodes know the epoch, so `epoch` is empty.
   * @throws BusError as a {@link Publisher}
   */
  async publish(request: PublishRequest): Promise<PublishAck> {
    checkAddress(request, this.#namespace);
    if (this.#namespace.durable) {
      const { seq, duplicate } = await this.#publisher.publish(request, this.#stream, this.#namespace);
      return { epoch: '', offset: seq, duplicate };
    }
    await this.#ephemeral.publish(
      subjectOf(request.topic, request.key),
      request.payload,
      headersOf(request, this.#namespace, this.#signatures),
    );
    return { epoch: '', offset: 0, duplicate: false };
  }

  async close(): Promise<void> {
    this.#publisher.stop();
    if (this.#connection.connected) await this.#connection.nc.flush().catch(() => undefined);
    await this.#connection.close();
  }
}

async function findStream(streams: Streams, names: NatsNames, name: string, namespace: NamespaceOptions, create: boolean): Promise<void> {
  try {
    if ((await streams.find(name)) !== undefined) return;
    if (create) return void (await streams.ensure(name, namespace));
  } catch (error) {
    const denied = deniedIn(error);
    // A user with only the permission to publish cannot ask for the stream. The publish reports it, if its answer can arrive.
    if (denied !== undefined && !isInboxDenied(denied, names) && !create) return;
    throw unreachable(`stream ${streamNameOf(name)}`, error, names);
  }
  throw new BusError(
    'stream_missing',
    `stream ${streamNameOf(name)}, which keeps namespace ${name}, does not exist: start a node, which creates it, or add --create`,
  );
}
