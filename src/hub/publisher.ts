import type { Bus } from '../bus/bus.ts';
import type { PublishAck, PublishRequest } from '../bus/publication.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { hasDocuments } from '../protocol/feed-state.ts';
import { unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { assertKeyFits, assertSizeFits, assertTopicFits, assertVolatileFits } from '../protocol/publish-rules.ts';
import type { Tags } from '../protocol/tags.ts';
import { type Key, namespaceOf, type Topic } from '../protocol/topic.ts';
import { documentBoundsOf, HubDocument } from './documents/hub-document.ts';
import type { HubDocuments } from './documents/hub-documents.ts';
import { codeOf } from './failure.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { isMsgpackMap, msgpackToPayload } from './payload.ts';

/** A publication to be published. */
export interface Draft {
  readonly topic: Topic;
  readonly key: Key | null;
  /** One MessagePack value. */
  readonly data: Uint8Array;
  /** Where there are documents: the whole document, not a patch. */
  readonly image?: boolean | undefined;
  /** Not for the connection in its origin. */
  readonly noEcho?: true | undefined;
  readonly volatile?: true | undefined;
  /** When it happened, by its producer's clock: whole milliseconds since 1970. */
  readonly eventAtMs?: number | undefined;
  readonly tags?: Tags | undefined;
}

/** What the operator, or the program that embeds the node, publishes. */
export interface ServerDraft extends Omit<Draft, 'noEcho'> {
  /** The connection on whose behalf it is published: it is left out. */
  readonly exceptConnection?: string | undefined;
}

/**
 * All publications of this node go through here, from clients, the HTTP API and the embedding program. It checks them, bounds how many wait for the log, and
 * passes them to the bus.
 */
export class Publisher {
  readonly #config: Config;
  readonly #bus: Pick<Bus, 'publish'>;
  readonly #metrics: Pick<HubMetrics, 'publishesInFlight' | 'publishAck'>;
  readonly #documentOf: (topic: Topic) => HubDocument | HubDocuments | undefined;
  #inFlight = 0;

  /** @param documentOf the document of a topic, or those of its keys, if this node follows it */
  constructor(
    config: Config,
    bus: Pick<Bus, 'publish'>,
    metrics: Pick<HubMetrics, 'publishesInFlight' | 'publishAck'>,
    documentOf: (topic: Topic) => HubDocument | HubDocuments | undefined = () => undefined,
  ) {
    this.#config = config;
    this.#bus = bus;
    this.#metrics = metrics;
    this.#documentOf = documentOf;
  }

  /** Checks all that {@link publish} does, and publishes nothing. @throws ProtocolError */
  assertFits(draft: Draft): void {
    this.#payloadOf(draft, this.#namespaceFor(draft));
  }

  /**
   * @throws ProtocolError `unknown_namespace`, `bad_topic`, `key_required`, `key_not_allowed`, `unsupported` (volatile in a durable namespace), `busy`,
   * `bad_payload`, `message_too_big`
   * @throws BusError
   */
  async publish(draft: Draft, extras: Pick<PublishRequest, 'origin' | 'messageId'> = {}): Promise<PublishAck> {
    const { topic, key, image, noEcho, volatile, eventAtMs, tags } = draft;
    const namespace = this.#namespaceFor(draft);
    if (this.#inFlight >= this.#config.tuning.commands.publishesInFlightMax)
      throw new ProtocolError('busy', 'too many publishes wait for the log');
    const payload = this.#payloadOf(draft, namespace);
    this.#metrics.publishesInFlight.set(++this.#inFlight);
    const answered = this.#metrics.publishAck.startTimer();
    try {
      const payloadKind = namespace.payload;
      const ack = await this.#bus.publish({ topic, key, payload, payloadKind, image, noEcho, volatile, eventAtMs, tags, ...extras });
      answered({ outcome: 'stored' });
      return ack;
    } catch (error) {
      answered({ outcome: codeOf(error as Error) });
      throw error;
    } finally {
      this.#metrics.publishesInFlight.set(--this.#inFlight);
    }
  }

  /** @throws ProtocolError */
  #namespaceFor({ topic, key, image, noEcho, volatile }: Draft): NamespaceOptions {
    const namespace = assertTopicFits(topic, namespaceOptions(this.#config, namespaceOf(topic)));
    assertKeyFits(topic, key !== null, namespace);
    assertVolatileFits(topic, volatile, namespace);
    const hasDocument = hasDocuments(namespace);
    if (image === true && !hasDocument) throw new ProtocolError('unsupported', `${topic} has no document`);
    if (noEcho && (hasDocument || namespace.delta === 'fields'))
      throw new ProtocolError('unsupported', `${topic} has ${hasDocument ? 'a document' : 'deltas'}: a publication is for everybody`);
    return namespace;
  }

  /** @throws ProtocolError */
  #payloadOf(draft: Draft, namespace: NamespaceOptions): Uint8Array {
    const payload = payloadOf(draft, namespace);
    if (hasDocuments(namespace)) this.#assertDocumentFits(draft, namespace);
    return payload;
  }

  /** What others publish meanwhile may make it too large all the same: then every node skips it. */
  #assertDocumentFits({ topic, key, data, image }: Draft, namespace: NamespaceOptions): void {
    const value = unpackMsgpack(data);
    if (value === null && namespace.patch) return;
    const document = this.#documentOf(topic) ?? new HubDocument(documentBoundsOf(namespace), 0, true);
    const problem = document.problemOf(value, image !== true && isMsgpackMap(data), key);
    if (problem !== undefined) throw new ProtocolError('document_too_large', problem);
  }
}

function payloadOf({ topic, data }: Draft, namespace: NamespaceOptions): Uint8Array {
  const payload = msgpackToPayload(data, namespace.payload);
  if (payload === undefined) throw new ProtocolError('bad_payload', `${topic} takes ${namespace.payload}`);
  assertSizeFits(payload.length, namespace);
  return payload;
}
