import type { Config } from '../../config/schema.ts';
import { Limiter } from '../limiter.ts';
import { EPOCH_BUCKET, EpochStore, LIVES_BUCKET } from './epoch-store.ts';
import { every } from './every.ts';
import { NatsLog, type NatsLogContext } from './nats-log.ts';
import { type NatsSettings, natsSettings } from './settings.ts';
import { Streams } from './streams.ts';

/** What the logs share with the bus that they belong to. */
export type NatsLogsContext = Pick<NatsLogContext, 'connection' | 'counters' | 'faults' | 'nowMs' | 'onNotice'>;

/** The logs of all durable namespaces, and what is done for each at intervals: checkpoints, and the search for wrong subjects. */
export class NatsLogs {
  readonly #logs: ReadonlyMap<string, NatsLog>;
  readonly #checkpoints: NodeJS.Timeout;
  readonly #endSubjectChecks: () => void;

  private constructor(logs: ReadonlyMap<string, NatsLog>, { checkpointIntervalMs, subjectCheckIntervalMs }: NatsSettings) {
    this.#logs = logs;
    this.#checkpoints = setInterval(() => void this.checkpoint(), checkpointIntervalMs);
    this.#endSubjectChecks = every(subjectCheckIntervalMs, () => this.#checkSubjects());
  }

  /** Creates or checks their streams, and waits until it is certain which epoch each is in. @throws BusError as {@link Bus.start} */
  static async open(config: Config, context: NatsLogsContext): Promise<NatsLogs> {
    const nats = natsSettings(config);
    const durable = Object.entries(config.namespaces).filter(([, { durable }]) => durable);
    const logs = new Map<string, NatsLog>();
    if (durable.length === 0) return new NatsLogs(logs, nats);
    const { connection } = context;
    const streams = await Streams.open(connection, nats);
    for (const [name, options] of durable) await streams.ensure(name, options);
    const shared: Omit<NatsLogContext, 'mirrorStreams'> = {
      ...context,
      streams,
      epochs: await EpochStore.open(connection, nats, EPOCH_BUCKET),
      lives: nats.epochStorage === 'file' ? await EpochStore.open(connection, nats, LIVES_BUCKET) : undefined,
      reads: new Limiter(nats.readsInFlightMax, nats.readsWaitingMax),
    };
    for (const [name, options] of durable) {
      const mirrorStreams = options.mirror === '' ? undefined : await Streams.open(connection, nats, options.mirrorDomain);
      logs.set(name, new NatsLog(name, options, nats, { ...shared, mirrorStreams }));
    }
    // In parallel, because each may have to wait for a node that knows its log.
    await Promise.all([...logs.values()].map((log) => log.state()));
    return new NatsLogs(logs, nats);
  }

  /** Undefined: it is not a durable namespace. */
  get(namespace: string): NatsLog | undefined {
    return this.#logs.get(namespace);
  }

  /** Nothing more is done at intervals. */
  rest(): void {
    clearInterval(this.#checkpoints);
    this.#endSubjectChecks();
  }

  /** If a checkpoint cannot be written now, it is written the next time. */
  async checkpoint(): Promise<void> {
    await Promise.allSettled(Array.from(this.#logs.values(), (log) => log.checkpoint()));
  }

  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#logs.values(), (log) => log.stop()));
  }

  /** One after the other, so that a check delays no more than one stream at a time. A stream that cannot be checked now is checked the next time. */
  async #checkSubjects(): Promise<void> {
    for (const log of this.#logs.values()) await log.checkSubjects().catch(() => undefined);
  }
}
