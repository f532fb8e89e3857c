import type { Config } from '../../config/schema.ts';
import { streamNameOf } from '../subjects.ts';
import { connectionOptions } from './connect-options.ts';
import { Connection, connectFirst } from './connection.ts';
import { EPOCH_BUCKET, EpochStore } from './epoch-store.ts';
import { namesOf } from './names.ts';
import { checkServerVersion } from './server-version.ts';
import { describeServers } from './servers.ts';
import { Streams } from './streams.ts';
import { TroubleLog } from './trouble-log.ts';

/**
 * Makes the streams and the bucket that the durable namespaces need, and checks those that are there. For a NATS user of its own, so that nodes
 * need not be permitted to make any.
 *
 * @returns the names of streams and bucket
 * @throws BusError the same codes as a node's start
 */
export async function setUpNats(config: Config, onWarning: (message: string) => void): Promise<string[]> {
  const nats = { ...config.nats, manageStreams: true };
  const servers = describeServers(nats.url);
  const names = namesOf(nats);
  const troubles = new TroubleLog(servers, names, (_, message) => onWarning(message));
  const options = connectionOptions(nats, 'stentor setup', (reason) => troubles.onRefused(reason));
  const connection = new Connection(await connectFirst(options, servers, nats.connectTimeoutMs), options, troubles, names);
  try {
    checkServerVersion(connection.nc.info?.version ?? '');
    const streams = await Streams.open(connection, nats);
    const durable = Object.entries(config.namespaces).filter(([, options]) => options.durable);
    for (const [name, namespace] of durable) await streams.ensure(name, namespace);
    await EpochStore.open(connection, nats);
    return [...durable.map(([name]) => streamNameOf(name)), EPOCH_BUCKET];
  } finally {
    await connection.close();
  }
}
