import type { ErrorCode } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import type { Logger } from '../telemetry/log.ts';
import type { RequestRefusal } from '../transport/transport.ts';
import type { Connection } from './connection.ts';

/** The parts of a command for a log line. It is kept while the command is in flight, so it is small. */
export interface Asked {
  readonly id?: number | undefined;
  readonly type?: ClientMessage['type'] | 'upgrade';
  readonly topic?: string | undefined;
  readonly key?: string | undefined;
}

/** Commands with a token: if they are refused, the token is. */
const BY_TOKEN: ReadonlySet<string | undefined> = new Set(['upgrade', 'connect', 'refresh']);
/** Paths and origins may come from anybody. */
const TEXT_CHARS_MAX = 200;
/** Lower close codes are WebSocket's own. */
const OURS_FROM = 4000;

export function askedBy(message: ClientMessage): Asked {
  return {
    type: message.type,
    // An answer has the id of the server's question.
    id: 'id' in message && message.type !== 'result' && message.type !== 'error' ? message.id : undefined,
    topic: 'topic' in message ? message.topic : undefined,
    key: 'key' in message ? message.key : undefined,
  };
}

/** At `debug`, logs one line for every refusal to a client, with the reason, and never a token. */
export class RefusalLog {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A request that was not upgraded. */
  request({ status, why, ...more }: RequestRefusal): void {
    if (!this.#logger.isLevelEnabled('debug')) return;
    const clipped = Object.entries(more).map(([name, text]) => [name, text.slice(0, TEXT_CHARS_MAX)]);
    this.#logger.debug({ status: Number.parseInt(status, 10), why, ...Object.fromEntries(clipped) }, 'connection refused');
  }

  /** @param cause has more details than the client is told */
  command(
    { id: connectionId, identity }: Pick<Connection, 'id' | 'identity'>,
    asked: Asked,
    code: ErrorCode,
    why: string,
    cause: unknown,
  ): void {
    if (!this.#logger.isLevelEnabled('debug')) return;
    const { id: _, type, ...about } = asked;
    const detail = cause instanceof Error ? { detail: cause.message.slice(0, TEXT_CHARS_MAX) } : {};
    const what = BY_TOKEN.has(type) ? 'token refused' : 'command refused';
    this.#logger.debug({ connectionId, user: identity.user, command: type, ...about, code, why, ...detail }, what);
  }

  /** With a code of the protocol: most likely this node closed it. */
  closed({ id: connectionId, identity }: Connection, code: number, reason: ArrayBuffer): void {
    if (code < OURS_FROM || !this.#logger.isLevelEnabled('debug')) return;
    const why = Buffer.from(reason).toString().slice(0, TEXT_CHARS_MAX);
    this.#logger.debug({ connectionId, user: identity.user, code, why }, 'connection closed');
  }
}
