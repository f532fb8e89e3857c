import type { Config } from '../../config/schema.ts';
import { streamNameOf } from '../subjects.ts';
import { EPOCH_BUCKET, EpochStore, LIVES_BUCKET } from './epoch-store.ts';
import { openConnection } from './open-connection.ts';
import { REVOCATION_BUCKET, RevocationBucket } from './revocation-bucket.ts';
import { natsSettings } from './settings.ts';
import { Streams } from './streams.ts';

/**
 * Creates the streams and the bucket that the durable namespaces need, and checks existing ones. For a separate NATS user, so that nodes need no permission to
 * create any.
 *
 * @returns the names of streams and bucket
 * @throws BusError the same codes as when a node starts
 */
export async function setUpNats(config: Config, onWarning: (message: string) => void): Promise<string[]> {
  const nats = { ...natsSettings(config), manageStreams: true };
  const { connection } = await openConnection(nats, 'stentor setup', (_, message) => onWarning(message), false);
  try {
    const streams = await Streams.open(connection, nats);
    const durable = Object.entries(config.namespaces).filter(([, options]) => options.durable);
    for (const [name, namespace] of durable) await streams.ensure(name, namespace);
    const buckets = nats.epochStorage === 'file' ? ([EPOCH_BUCKET, LIVES_BUCKET] as const) : ([EPOCH_BUCKET] as const);
    for (const bucket of buckets) await EpochStore.open(connection, nats, bucket);
    const revocations = config.auth.revocations === 'off' ? [] : [REVOCATION_BUCKET];
    if (revocations.length > 0) await new RevocationBucket(() => connection, nats, config.auth.tokenLifeMaxMs).ensure();
    return [...durable.map(([name]) => streamNameOf(name)), ...buckets, ...revocations];
  } finally {
    await connection.close();
  }
}
