import type { Config } from '../config/schema.ts';
import type { HubClient } from '../delivery/hub-client.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { parseTopic } from '../protocol/topic.ts';
import { assertMay } from './access.ts';
import type { Connection } from './connection.ts';
import { takeToken } from './rate-limit.ts';

const CALL_TIMEOUT_MS = 5000;

export interface CallsOptions {
  readonly config: Config;
  readonly hub: Pick<HubClient, 'call'>;
}

/** Passes clients' calls on to whoever serves them. A bounded number of each connection wait for their answers; the hub bounds those of the node. */
export class Calls {
  readonly #config: Config;
  readonly #hub: Pick<HubClient, 'call'>;

  constructor({ config, hub }: CallsOptions) {
    this.#config = config;
    this.#hub = hub;
  }

  /** @throws ProtocolError: what PROTOCOL.md names for `call` */
  call(connection: Connection, { id, method: name, data = null, timeoutMs = CALL_TIMEOUT_MS }: ClientMessage<'call'>): Promise<void> {
    const method = parseTopic(name);
    const { identity } = connection;
    assertMay(identity, 'call', undefined, method);
    const { limits, tuning } = this.#config;
    const { callsPerConnectionMax, callTimeoutMaxMs } = tuning.commands;
    const { callsPerSecondMax } = limits;
    if (connection.callsInFlight >= callsPerConnectionMax) {
      throw new ProtocolError('busy', `${callsPerConnectionMax} calls of this connection wait for their answers`);
    }
    if (callsPerSecondMax > 0) {
      connection.callBucket ??= { rateTokens: Number.POSITIVE_INFINITY, rateAtMs: 0 };
      const retryAfterMs = takeToken(connection.callBucket, callsPerSecondMax, Date.now());
      if (retryAfterMs > 0) throw new ProtocolError('too_many_calls', `${callsPerSecondMax} calls a second`, { retryAfterMs });
    }
    const question = {
      method,
      data: packMsgpack(data),
      timeoutMs: Math.min(timeoutMs, callTimeoutMaxMs),
      user: identity.user ?? '',
      connectionId: connection.id,
    };
    // Not async itself: until the answer comes only the packed bytes are kept, not the values that they were made from.
    return this.#ask(connection, id, question);
  }

  async #ask(connection: Connection, id: number, question: Parameters<HubClient['call']>[0]): Promise<void> {
    connection.callsInFlight++;
    try {
      const answer = await this.#hub.call(question);
      if (answer.kind === 'result') return connection.send({ type: 'result', id, data: unpackMsgpack(answer.data) });
      // An answer, and no failure of the command: it counts towards no limit of errors.
      const { code, message } = answer;
      connection.send({ type: 'error', id, code, message, retryable: false, service: true });
    } finally {
      connection.callsInFlight--;
    }
  }
}
