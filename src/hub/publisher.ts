import type { Bus, PublishAck, PublishRequest } from '../bus/bus.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { assertKeyFits, assertSizeFits, assertTopicFits, assertVolatileFits } from '../protocol/publish-rules.ts';
import { type Key, namespaceOf, type Topic } from '../protocol/topic.ts';
import { codeOf } from './failure.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { msgpackToPayload } from './payload.ts';

/** A publication to be published. */
export interface Draft {
  readonly topic: Topic;
  readonly key: Key | null;
  /** One MessagePack value. */
  readonly data: Uint8Array;
  /** Not for the connection in its origin. */
  readonly noEcho?: true | undefined;
  readonly volatile?: true | undefined;
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
  #inFlight = 0;

  constructor(config: Config, bus: Pick<Bus, 'publish'>, metrics: Pick<HubMetrics, 'publishesInFlight' | 'publishAck'>) {
    this.#config = config;
    this.#bus = bus;
    this.#metrics = metrics;
  }

  /** Checks all that {@link publish} does, and publishes nothing. @throws ProtocolError */
  assertFits(draft: Draft): void {
    payloadOf(draft, this.#namespaceFor(draft));
  }

  /**
   * @throws ProtocolError `unknown_namespace`, `bad_topic`, `key_required`, `key_not_allowed`, `unsupported` (volatile in a durable namespace), `busy`,
   * `bad_payload`, `message_too_big`
   * @throws BusError
   */
  async publish(draft: Draft, extras: Pick<PublishRequest, 'origin' | 'messageId'> = {}): Promise<PublishAck> {
    const { topic, key, noEcho, volatile } = draft;
    const namespace = this.#namespaceFor(draft);
    if (this.#inFlight >= this.#config.tuning.commands.publishesInFlightMax)
      throw new ProtocolError('busy', 'too many publishes wait for the log');
    this.#metrics.publishesInFlight.set(++this.#inFlight);
    const answered = this.#metrics.publishAck.startTimer();
    try {
      const payloadKind = namespace.payload;
      const payload = payloadOf(draft, namespace);
      const ack = await this.#bus.publish({ topic, key, payload, payloadKind, noEcho, volatile, ...extras });
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
  #namespaceFor({ topic, key, volatile }: Draft): NamespaceOptions {
    const namespace = assertTopicFits(topic, namespaceOptions(this.#config, namespaceOf(topic)));
    assertKeyFits(topic, key !== null, namespace);
    assertVolatileFits(topic, volatile, namespace);
    return namespace;
  }
}

function payloadOf({ topic, data }: Draft, namespace: NamespaceOptions): Uint8Array {
  const payload = msgpackToPayload(data, namespace.payload);
  if (payload === undefined) throw new ProtocolError('bad_payload', `${topic} takes ${namespace.payload}`);
  assertSizeFits(payload.length, namespace);
  return payload;
}
