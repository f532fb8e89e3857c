import type { StreamInfo } from '@nats-io/jetstream';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import type { Topic } from '../../protocol/topic.ts';
import {
  type BusCounters,
  BusError,
  type BusNotice,
  type Follower,
  type Log,
  type LogState,
  type Publication,
  type ReadRange,
  type ReadResult,
} from '../bus.ts';
import type { SubjectFaults } from '../subject-faults.ts';
import { streamNameOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { EpochKeeper, type Following, REAL_CLOCK } from './epoch-keeper.ts';
import type { EpochStore } from './epoch-store.ts';
import { isStreamNotFound, unreachable } from './errors.ts';
import { NatsFollower } from './follower.ts';
import type { Limiter } from './limiter.ts';
import { rangeOf } from './log-bounds.ts';
import { LogReader } from './log-reader.ts';
import { PublicationReader } from './publication-reader.ts';
import { nanosecondsOf } from './stored-message.ts';
import type { Streams } from './streams.ts';
import { SubjectCheck } from './subject-check.ts';

export interface NatsLogContext {
  readonly connection: Connection;
  readonly streams: Streams;
  readonly epochs: EpochStore;
  readonly lives: EpochStore | undefined;
  readonly reads: Limiter;
  readonly counters: BusCounters;
  readonly faults: SubjectFaults;
  readonly nowMs: () => number;
  readonly onNotice: (level: BusNotice['level'], message: string) => void;
}

/** The log of one durable namespace: its stream. */
export class NatsLog implements Log {
  readonly namespace: string;
  readonly stream: string;
  readonly options: NamespaceOptions;
  readonly #nats: Config['nats'];
  readonly #context: NatsLogContext;
  readonly #publications: PublicationReader;
  readonly #subjects: SubjectCheck;
  readonly #reader: LogReader;
  /** Each with the epoch that it follows. */
  readonly #followers = new Map<NatsFollower, string>();
  readonly #epochs: EpochKeeper;

  constructor(namespace: string, options: NamespaceOptions, nats: Config['nats'], context: NatsLogContext) {
    const { connection, streams, epochs, lives, faults, nowMs, onNotice } = context;
    this.namespace = namespace;
    this.options = options;
    this.stream = streamNameOf(namespace);
    this.#nats = nats;
    this.#context = context;
    this.#subjects = new SubjectCheck({
      namespace,
      options,
      faults,
      subjectsMax: nats.subjectCheckMax,
      info: (query) => connection.request(() => streams.manager.streams.info(this.stream, query)),
      isFollowed: () => this.#followers.size > 0,
      nowMs,
    });
    this.#publications = new PublicationReader(options, (subject, fault, offset) => this.#subjects.note(subject, fault, offset));
    // What is read again must not be counted again.
    const quietly = new PublicationReader(options, () => undefined);
    this.#reader = new LogReader(connection, streams, quietly, {
      stream: this.stream,
      namespace: options,
      requestTimeoutMs: nats.requestTimeoutMs,
      replicaCount: nats.streamReplicas,
      nowMs,
    });
    this.#epochs = new EpochKeeper({
      namespace,
      store: epochs,
      lives,
      info: () => this.#info(),
      timeOf: (offset) => this.#timeOf(offset),
      following: () => this.#following(),
      clock: REAL_CLOCK,
      onNotice,
    });
    connection.onChange(() => this.#epochs.doubt());
  }

  /** As of the last time that the log was asked. */
  get epoch(): string {
    return this.#epochs.epoch;
  }

  async state(): Promise<LogState> {
    try {
      for (;;) {
        await this.#epochs.confirm();
        const info = await this.#info();
        if (info.created === this.#epochs.created) return { epoch: this.epoch, before: this.#epochs.before, ...rangeOf(info) };
        this.#epochs.doubt();
      }
    } catch (error) {
      throw unreachable(`the log of ${this.namespace}`, error, this.#context.connection.names);
    }
  }

  async follow(
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
  ): Promise<Follower> {
    const { connection, streams, counters, nowMs, onNotice } = this.#context;
    const { epoch } = this;
    const follower = new NatsFollower(
      { connection, streams, counters, nowMs, reader: this.#publications },
      {
        namespace: this.namespace,
        stream: this.stream,
        keyed: this.options.keyed,
        created: this.#epochs.created,
        requestTimeoutMs: this.#nats.requestTimeoutMs,
        afterOffset,
        onPublication,
        onBroken: (error) => {
          if (error.code === 'log_rolled_back') this.#epochs.void(epoch);
          onBroken(error);
        },
        onNotice: (message) => onNotice('warn', message),
        // The bucket may have gone with the server: others wait for who can vouch for the log.
        onLive: () => void this.#epochs.confirm().catch(() => undefined),
        onEnded: () => {
          this.#followers.delete(follower);
          this.#epochs.ended({ epoch, live: false, anchor: follower.anchor });
        },
      },
    );
    this.#followers.set(follower, epoch);
    await follower.begin();
    return follower;
  }

  lastOffset(topic: Topic): Promise<number> {
    return this.#limited(() => this.#reader.lastOffset(topic));
  }

  read(topic: Topic, range: ReadRange): Promise<ReadResult> {
    return this.#limited(() => this.#reader.read(topic, range));
  }

  readLast(topic: Topic, count: number, bytesMax = Number.POSITIVE_INFINITY): Promise<readonly Publication[]> {
    return this.#limited(() => this.#reader.readLast(topic, count, bytesMax));
  }

  snapshot(topic: Topic, after = 0): Promise<readonly Publication[]> {
    return this.#limited(() => this.#reader.snapshot(topic, after));
  }

  /** Looks for producers' wrong subjects, while nobody follows. @throws Error */
  checkSubjects(): Promise<void> {
    return this.#subjects.look();
  }

  /** @throws BusError */
  checkpoint(): Promise<void> {
    return this.#epochs.checkpoint();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#followers.keys()].map((follower) => follower.stop()));
  }

  /** The follower that knows most, if any. */
  #following(): Following | undefined {
    let furthest: Following | undefined;
    for (const [{ live, anchor }, epoch] of this.#followers) {
      if (furthest === undefined || (live && !furthest.live)) furthest = { epoch, live, anchor };
    }
    return furthest;
  }

  async #timeOf(offset: number): Promise<number | undefined> {
    const { connection, streams } = this.#context;
    const found = await connection.request(() => streams.manager.streams.getMessage(this.stream, { seq: offset }));
    return found === null ? undefined : nanosecondsOf(found.timestamp);
  }

  async #info(): Promise<StreamInfo> {
    const { connection, streams } = this.#context;
    try {
      return await connection.request(() => streams.manager.streams.info(this.stream));
    } catch (error) {
      // Somebody deleted it: a new one is a new epoch, which every client is told.
      if (isStreamNotFound(error)) return streams.ensure(this.namespace, this.options);
      throw unreachable(`stream ${this.stream}`, error, this.#context.connection.names);
    }
  }

  async #limited<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await this.#context.reads.run(read);
    } catch (error) {
      throw error instanceof BusError ? error : unreachable(`reading ${this.stream}`, error, this.#context.connection.names);
    }
  }
}
