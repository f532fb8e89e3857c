import type { Config } from '../config/schema.ts';
import type { HubClient } from '../delivery/hub-client.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { parseTopic } from '../protocol/topic.ts';
import { assertMay } from './access.ts';
import type { Connection } from './connection.ts';

const CALL_TIMEOUT_MS = 5000;

export interface CallsOptions {
  readonly config: Config;
  readonly hub: Pick<HubClient, 'call'>;
}

/** Passes clients' calls on to whoever serves them. A bounded number of each connection wait for their answers; the hub bounds those of the node. */
export class Calls {
  readonly #limits: Config['tuning']['commands'];
  readonly #hub: Pick<HubClient, 'call'>;

  constructor({ config, hub }: CallsOptions) {
    this.#limits = config.tuning.commands;
    this.#hub = hub;
  }

  /** @throws ProtocolError `bad_topic`, `unauthorized`, `forbidden`, `busy`, `no_responders`, `timeout`, `unavailable`, `internal` */
  call(connection: Connection, { id, method: name, data = null, timeoutMs = CALL_TIMEOUT_MS }: ClientMessage<'call'>): Promise<void> {
    const method = parseTopic(name);
    const { identity } = connection;
    assertMay(identity, 'call', undefined, method);
    const { callsPerConnectionMax, callTimeoutMaxMs } = this.#limits;
    if (connection.callsInFlight >= callsPerConnectionMax) {
      throw new ProtocolError('busy', `${callsPerConnectionMax} calls of this connection wait for their answers`);
    }
    const question = { method, data: packMsgpack(data), timeoutMs: Math.min(timeoutMs, callTimeoutMaxMs), user: identity.user ?? '' };
    // Not async itself: until the answer comes only the packed bytes are kept, not the values that they were made from.
    return this.#ask(connection, id, question);
  }

  async #ask(connection: Connection, id: number, question: Parameters<HubClient['call']>[0]): Promise<void> {
    connection.callsInFlight++;
    try {
      const { data } = await this.#hub.call(question);
      connection.send({ type: 'result', id, data: unpackMsgpack(data) });
    } finally {
      connection.callsInFlight--;
    }
  }
}
