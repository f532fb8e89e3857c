import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import type { Delivery } from '../../delivery/delivery.ts';
import type { FeedName } from '../../protocol/feed-name.ts';
import type { CommandMessage, CommandType } from '../../protocol/parse.ts';
import { namespaceOf } from '../../protocol/topic.ts';
import type { Authentication } from '../authentication.ts';
import type { Connection } from '../connection.ts';
import type { FromServers } from '../from-servers.ts';
import type { SessionHooks } from '../hooks/session-hooks.ts';
import type { Replays } from '../replays.ts';

/** What commands use. */
export interface CommandContext {
  readonly config: Config;
  readonly delivery: Pick<Delivery, 'hub' | 'subscriptions' | 'slowConsumers' | 'presence'>;
  readonly authentication: Authentication;
  /** Absent: there are none. */
  readonly hooks?: SessionHooks | undefined;
  readonly fromServers: FromServers;
  readonly replays: Replays;
}

/**
 * Executes a client's message and answers it. The message has been checked against its schema and counted against the limits.
 *
 * @throws ProtocolError the client gets it as the answer; also by rejecting
 */
export type Command<T extends CommandType> = (
  connection: Connection,
  message: CommandMessage<T>,
  context: CommandContext,
) => Promise<void> | void;

/** The namespace of the name; undefined: not configured. */
export function namespaceFor({ config }: Pick<CommandContext, 'config'>, name: FeedName): NamespaceOptions | undefined {
  return namespaceOptions(config, namespaceOf(name));
}
