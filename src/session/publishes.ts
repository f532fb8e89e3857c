import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HubClient } from '../delivery/hub-client.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { assertKeyFits } from '../protocol/publish-rules.ts';
import { type Key, namespaceOf, parseKey, parseTopic, type Topic } from '../protocol/topic.ts';
import { assertMay } from './access.ts';
import type { Connection } from './connection.ts';

export interface PublishesOptions {
  readonly config: Config;
  readonly hub: Pick<HubClient, 'publish'>;
}

/** Passes clients' publications on to the log. A bounded number of each connection wait for it; the hub bounds those of the node. */
export class Publishes {
  readonly #config: Config;
  readonly #hub: Pick<HubClient, 'publish'>;

  constructor({ config, hub }: PublishesOptions) {
    this.#config = config;
    this.#hub = hub;
  }

  /** @throws ProtocolError: what PROTOCOL.md names for `publish` */
  publish(connection: Connection, { id, topic: name, key: keyText, data, idempotencyKey }: ClientMessage<'publish'>): Promise<void> {
    const topic = parseTopic(name);
    const key = this.#assertMayPublish(connection, topic, keyText);
    const { publishesPerConnectionMax } = this.#config.tuning.commands;
    if (connection.publishesInFlight >= publishesPerConnectionMax) {
      throw new ProtocolError('busy', `${publishesPerConnectionMax} publishes of this connection wait for the log`);
    }
    const user = connection.identity.user ?? '';
    // Not async itself: until the answer comes only the packed bytes are kept, not the values that they were made from.
    return this.#store(connection, id, { topic, key, data: packMsgpack(data), idempotencyKey, user, connectionId: connection.id });
  }

  async #store(connection: Connection, id: number | undefined, draft: Parameters<HubClient['publish']>[0]): Promise<void> {
    connection.publishesInFlight++;
    try {
      const { epoch, offset, duplicate } = await this.#hub.publish(draft);
      if (id === undefined) return;
      const durable = this.#namespace(draft.topic)?.durable === true;
      connection.send({ type: 'published', id, duplicate, ...(durable && { epoch, offset }) });
    } finally {
      connection.publishesInFlight--;
    }
  }

  #assertMayPublish(connection: Connection, topic: Topic, key: string | undefined): Key | null {
    const namespace = assertMay(connection.identity, 'publish', this.#namespace(topic), topic);
    assertKeyFits(topic, key !== undefined, namespace);
    return key === undefined ? null : parseKey(key);
  }

  #namespace(topic: Topic): NamespaceOptions | undefined {
    return namespaceOptions(this.#config, namespaceOf(topic));
  }
}
