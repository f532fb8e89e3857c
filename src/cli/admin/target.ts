import type { Command } from 'commander';
import { usageError } from '../errors.ts';

export interface TargetOptions {
  readonly user?: string;
  readonly connection?: string;
  readonly tokenId?: string;
}

/** Options that name connections. */
export function addTargetOptions(command: Command): Command {
  return command
    .option('--user <sub>', 'all connections of this user')
    .option('--connection <id>', 'this connection')
    .option('--token-id <jti>', 'all connections with the token of this `jti`');
}

/** Their names in the API. @throws CliError `usage` */
export function targetOf({ user, connection, tokenId }: TargetOptions) {
  if ([user, connection, tokenId].filter((one) => one !== undefined).length !== 1)
    throw usageError('expected one of --user, --connection and --token-id');
  return { user, connectionId: connection, tokenId };
}
