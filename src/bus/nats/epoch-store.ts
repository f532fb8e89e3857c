import { type JetStreamManagerOptions, jetstream, StorageType } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { BusError } from '../bus-error.ts';
import type { Connection } from './connection.ts';
import type { EpochEntry } from './epoch.ts';
import { isStreamNotFound, isWrongLastSequence, unreachable } from './errors.ts';
import type { NatsSettings } from './settings.ts';

/** In NATS' memory: an entry proves that NATS has been up since it was written. */
export const EPOCH_BUCKET = 'stentor-epochs';
/** In a file: what was known when all nodes and NATS went down. */
export const LIVES_BUCKET = 'stentor-lives';
export type EpochBucket = typeof EPOCH_BUCKET | typeof LIVES_BUCKET;

const NAME_IN_USE = 10058;
const NO_MEMORY = [10023, 10028, 10047];

const Entry = Compile(
  Type.Object({
    created: Type.String(),
    generation: Type.Integer({ minimum: 0 }),
    id: Type.String({ minLength: 1 }),
    checkpoint: Type.Optional(Type.Object({ offset: Type.Integer({ minimum: 0 }), timestampNs: Type.Number() })),
    begunAtMs: Type.Optional(Type.Number()),
    before: Type.Optional(Type.Array(Type.Object({ epoch: Type.String(), upTo: Type.Integer({ minimum: 0 }) }), { maxItems: 64 })),
  }),
);

export interface StoredEpoch {
  readonly entry: EpochEntry;
  readonly revision: number;
}

/** A bucket that all nodes use, with one entry per namespace. */
export class EpochStore {
  readonly #connection: Connection;
  readonly #nats: NatsSettings;
  readonly #bucket: EpochBucket;
  #kv: KV;

  private constructor(connection: Connection, nats: NatsSettings, bucket: EpochBucket, kv: KV) {
    this.#connection = connection;
    this.#nats = nats;
    this.#bucket = bucket;
    this.#kv = kv;
  }

  /** @throws BusError `jetstream_unavailable`, `stream_missing`, `bus_unreachable`, `permission_denied` */
  static async open(connection: Connection, nats: NatsSettings, bucket: EpochBucket): Promise<EpochStore> {
    return new EpochStore(connection, nats, bucket, await openBucket(connection, nats, bucket));
  }

  /** Read from the bucket's leader. */
  async get(namespace: string): Promise<StoredEpoch | undefined> {
    try {
      const found = await this.#connection.request(() => this.#kv.get(namespace));
      if (found === null || found.operation !== 'PUT') return undefined;
      const entry: unknown = parsed(found.string());
      // Written by another program or version: it proves nothing.
      if (!Entry.Check(entry)) return { entry: { created: '', generation: 0, id: '-' }, revision: found.revision };
      return { entry: entry as EpochEntry, revision: found.revision };
    } catch (error) {
      // A bucket in memory is lost with its server.
      if (isStreamNotFound(error)) return undefined;
      throw unreachable(`bucket ${this.#bucket}`, error, this.#connection.names);
    }
  }

  /** @returns false if it has been changed since `revision` (undefined: if there is one) */
  async put(namespace: string, entry: EpochEntry, revision: number | undefined): Promise<boolean> {
    try {
      const value = JSON.stringify(entry);
      await this.#connection.request(() =>
        revision === undefined ? this.#kv.create(namespace, value) : this.#kv.update(namespace, value, revision),
      );
      return true;
    } catch (error) {
      if (isWrongLastSequence(error)) return false;
      throw unreachable(`bucket ${this.#bucket}`, error, this.#connection.names);
    }
  }

  /** Creates the bucket again if it is lost. @throws BusError */
  async ensure(): Promise<void> {
    this.#kv = await openBucket(this.#connection, this.#nats, this.#bucket);
  }
}

async function openBucket(connection: Connection, nats: NatsSettings, bucket: EpochBucket): Promise<KV> {
  // Requesting the account's statistics would need another permission.
  const options: JetStreamManagerOptions = { timeout: nats.requestTimeoutMs, apiPrefix: connection.names.api, checkAPI: false };
  const kvm = new Kvm(jetstream(connection.nc, options));
  try {
    // The one in memory is lost with NATS, so the first node afterwards creates it.
    if (!nats.manageStreams && bucket === LIVES_BUCKET) {
      const kv = await connection.request(() => kvm.open(bucket, { allow_direct: false }));
      await connection.request(() => kv.status());
      return kv;
    }
    return await connection.request(() =>
      kvm.create(bucket, {
        description: 'the epoch of the log of each Stentor namespace',
        history: 1,
        storage: bucket === EPOCH_BUCKET ? StorageType.Memory : StorageType.File,
        replicas: nats.streamReplicas,
        // Not from a replica, which may be behind.
        allow_direct: false,
      }),
    );
  } catch (error) {
    const { code } = error as { code?: number };
    // Another node created it in the same moment with other options, which are as good.
    if (code === NAME_IN_USE) return openBucket(connection, nats, bucket);
    if (isStreamNotFound(error)) {
      throw new BusError(
        'stream_missing',
        `bucket ${bucket} does not exist, and nats.manageStreams is false: \`stentor setup\`, run as a NATS user with the permission, creates it`,
        { cause: error },
      );
    }
    if (code !== undefined && NO_MEMORY.includes(code)) {
      throw new BusError(
        'jetstream_unavailable',
        `bucket ${bucket}: JetStream has no room for it, in ${bucket === EPOCH_BUCKET ? 'memory' : 'files'} (nats.streamReplicas is ${nats.streamReplicas})`,
        { cause: error },
      );
    }
    throw unreachable(`bucket ${bucket}`, error, connection.names);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
