import { BusError, type BusNotice } from '../bus.ts';
import { connectionOptions } from './connect-options.ts';
import { Connection, connectFirst } from './connection.ts';
import { namesOf } from './names.ts';
import type { Denied } from './permissions.ts';
import { checkServerVersion } from './server-version.ts';
import { describeServers } from './servers.ts';
import type { NatsSettings } from './settings.ts';
import { tlsFileProblem } from './tls-files.ts';
import { TroubleLog } from './trouble-log.ts';

export interface OpenedConnection {
  readonly connection: Connection;
  readonly troubles: TroubleLog;
  /** As an operator may see them. */
  readonly servers: string;
  /** Of the server connected to. */
  readonly version: string;
}

/**
 * Connects as the config says, and tells of what NATS refuses from then on.
 *
 * @param name what NATS shows of this connection
 * @param tellDenials false for those whose requests each fail with what they were denied
 * @throws BusError `bus_unreachable`, `server_too_old`
 */
export async function openConnection(
  nats: NatsSettings,
  name: string,
  onNotice: (level: BusNotice['level'], message: string) => void,
  tellDenials = true,
): Promise<OpenedConnection> {
  const servers = describeServers(nats.url);
  const names = namesOf(nats);
  const troubles = new TroubleLog(servers, names, onNotice);
  const problem = tlsFileProblem(nats);
  if (problem !== undefined) throw new BusError('bus_unreachable', problem);
  const options = connectionOptions(nats, name, (reason) => troubles.onRefused(reason));
  const events = {
    // A file that was replaced by a bad one is the reason, whatever the client makes of it.
    onRefused: (reason: string) => troubles.onRefused(tlsFileProblem(nats) ?? reason),
    onDenied: (denied: Denied) => void (tellDenials && troubles.onDenied(denied)),
  };
  const connection = new Connection(await connectFirst(options, servers, nats.connectTimeoutMs), options, events, names);
  connection.onChange((connected) => troubles.changed(connected));
  const { version = '' } = connection.nc.info ?? {};
  try {
    checkServerVersion(version);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return { connection, troubles, servers, version };
}
