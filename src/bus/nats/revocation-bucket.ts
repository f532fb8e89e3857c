import { type JetStreamManagerOptions, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { Msg } from '@nats-io/transport-node';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { inTime } from '../../telemetry/in-time.ts';
import { BusError } from '../bus-error.ts';
import { keptKey, type RevocationStore, type StoredRevocation, widest } from '../revocation-store.ts';
import { readBucket } from './bucket-read.ts';
import type { Connection } from './connection.ts';
import { isStreamNotFound, isWrongLastSequence, unreachable } from './errors.ts';
import type { NatsSettings } from './settings.ts';

export const REVOCATION_BUCKET = 'stentor-revocations';
const NAME_IN_USE = 10058;

const Entry = Compile(
  Type.Union([
    Type.Object({ tokenId: Type.String({ minLength: 1, maxLength: 256 }) }),
    Type.Object({ user: Type.String({ minLength: 1, maxLength: 256 }), issuedBeforeMs: Type.Integer({ minimum: 0 }) }),
  ]),
);

/** A key-value bucket whose entries live as long as a token may. It is opened on first use: nodes that do not use it need no permission for it. */
export class RevocationBucket implements RevocationStore {
  readonly #connection: () => Connection;
  readonly #nats: NatsSettings;
  readonly #keepMs: number;
  #kv: { readonly connection: Connection; readonly kv: KV } | undefined;

  /** @param connection the bus' own. @throws BusError `bus_closed` */
  constructor(connection: () => Connection, nats: NatsSettings, keepMs: number) {
    this.#connection = connection;
    this.#nats = nats;
    this.#keepMs = keepMs;
  }

  /** Creates the bucket, if it is missing and may be created. @throws BusError */
  ensure(): Promise<void> {
    return this.#with('opening', async () => undefined);
  }

  put(revocation: StoredRevocation): Promise<void> {
    return this.#with('writing', async (kv) => {
      // A program's order reaches all nodes at the same time, and each of them writes it.
      let done = false;
      while (!done) done = await widened(kv, revocation);
    });
  }

  all(): Promise<StoredRevocation[]> {
    return this.#with('reading', async (_, connection) => {
      const jsm = await jetstreamManager(connection.nc, this.#options(connection));
      const entries = await readBucket(connection, jsm, REVOCATION_BUCKET);
      return entries.filter(isPut).flatMap((entry) => revocationIn(entry) ?? []);
    });
  }

  async #with<T>(what: string, work: (kv: KV, connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#connection();
    try {
      if (this.#kv?.connection !== connection) this.#kv = { connection, kv: await this.#open(connection) };
      const { kv } = this.#kv;
      const { requestTimeoutMs } = this.#nats;
      const late = () => new Error(`no answer within ${requestTimeoutMs} ms`);
      return await connection.request(() => inTime(requestTimeoutMs, work(kv, connection), late));
    } catch (error) {
      // For example it was deleted: the next attempt creates it again.
      this.#kv = undefined;
      throw unreachable(`${what} the bucket ${REVOCATION_BUCKET}`, error, connection.names);
    }
  }

  /** Requesting the account's statistics would need another permission. */
  #options(connection: Connection): JetStreamManagerOptions {
    return { timeout: this.#nats.requestTimeoutMs, apiPrefix: connection.names.api, checkAPI: false };
  }

  async #open(connection: Connection): Promise<KV> {
    const { manageStreams, streamReplicas } = this.#nats;
    const kvm = new Kvm(jetstream(connection.nc, this.#options(connection)));
    try {
      if (!manageStreams) {
        const kv = await connection.request(() => kvm.open(REVOCATION_BUCKET, { allow_direct: false }));
        await connection.request(() => kv.status());
        return kv;
      }
      return await connection.request(() =>
        kvm.create(REVOCATION_BUCKET, {
          description: 'tokens that Stentor nodes refuse',
          history: 1,
          ttl: this.#keepMs,
          storage: StorageType.File,
          replicas: streamReplicas,
          allow_direct: false,
        }),
      );
    } catch (error) {
      // Another node created it, perhaps with another maximum age. The existing one is used.
      if ((error as { code?: number }).code === NAME_IN_USE)
        return connection.request(() => kvm.open(REVOCATION_BUCKET, { allow_direct: false }));
      if (isStreamNotFound(error)) {
        const text = `bucket ${REVOCATION_BUCKET} does not exist, and nats.manageStreams is false: \`stentor setup\` makes it`;
        throw new BusError('stream_missing', text, { cause: error });
      }
      throw error;
    }
  }
}

/** @returns false: another node wrote meanwhile */
async function widened(kv: KV, revocation: StoredRevocation): Promise<boolean> {
  const key = keptKey(revocation);
  const found = await kv.get(key);
  const known = found === null || found.operation !== 'PUT' ? undefined : revocationIn(found);
  const wider = widest(known, revocation);
  if (wider === known) return true;
  try {
    await kv.put(key, JSON.stringify(wider), { previousSeq: found?.revision ?? 0 });
    return true;
  } catch (error) {
    if (isWrongLastSequence(error)) return false;
    throw error;
  }
}

/** Not a key that was deleted. */
function isPut({ headers }: Msg): boolean {
  return !headers?.has('KV-Operation');
}

function revocationIn(entry: { json(): unknown }): StoredRevocation | undefined {
  try {
    const value: unknown = entry.json();
    return Entry.Check(value) ? (value as StoredRevocation) : undefined;
  } catch {
    return undefined;
  }
}
