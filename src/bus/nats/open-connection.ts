import type { BusNotice } from '../bus.ts';
import { BusError } from '../bus-error.ts';
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
  /** Without logins, for display. */
  readonly servers: string;
  /** Version of the connected server. */
  readonly version: string;
}

/**
 * Connects as the config says, and from then on reports what NATS refuses.
 *
 * @param name the name of this connection in NATS
 * @param tellDenials false if each denied request fails with the denial anyway
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
    // If a file was replaced by an invalid one, that is the reason, even if the client reports another error.
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
