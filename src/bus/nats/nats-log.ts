import type { StreamInfo } from '@nats-io/jetstream';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import type { Topic } from '../../protocol/topic.ts';
import {
  type BusCounters,
  BusError,
  type Follower,
  type Log,
  type LogState,
  type Publication,
  type ReadRange,
  type ReadResult,
} from '../bus.ts';
import { streamNameOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { epochOf } from './epoch.ts';
import { isStreamNotFound, unreachable } from './errors.ts';
import { NatsFollower } from './follower.ts';
import type { Limiter } from './limiter.ts';
import { rangeOf } from './log-bounds.ts';
import { LogReader } from './log-reader.ts';
import { PublicationReader } from './publication-reader.ts';
import type { Streams } from './streams.ts';

export interface NatsLogContext {
  readonly connection: Connection;
  readonly streams: Streams;
  readonly reads: Limiter;
  readonly counters: BusCounters;
  readonly nowMs: () => number;
  readonly onNotice: (message: string) => void;
}

/** The log of one durable namespace: its stream. */
export class NatsLog implements Log {
  readonly namespace: string;
  readonly stream: string;
  readonly options: NamespaceOptions;
  readonly #nats: Config['nats'];
  readonly #context: NatsLogContext;
  readonly #publications: PublicationReader;
  readonly #reader: LogReader;
  readonly #followers = new Set<NatsFollower>();
  #created: string;

  constructor(namespace: string, options: NamespaceOptions, nats: Config['nats'], context: NatsLogContext, info: StreamInfo) {
    const { connection, streams, counters, nowMs } = context;
    this.namespace = namespace;
    this.options = options;
    this.stream = streamNameOf(namespace);
    this.#nats = nats;
    this.#context = context;
    this.#created = info.created;
    this.#publications = new PublicationReader(options.keyed, counters);
    this.#reader = new LogReader(connection, streams, this.#publications, {
      stream: this.stream,
      namespace: options,
      requestTimeoutMs: nats.requestTimeoutMs,
      replicaCount: nats.streamReplicas,
      nowMs,
    });
  }

  /** As of the last time that the stream was asked. */
  get epoch(): string {
    return epochOf(this.#created);
  }

  async state(): Promise<LogState> {
    const info = await this.#info();
    this.#created = info.created;
    return { epoch: this.epoch, ...rangeOf(info) };
  }

  async follow(
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
  ): Promise<Follower> {
    const { connection, streams, counters, nowMs, onNotice } = this.#context;
    const follower = new NatsFollower(
      { connection, streams, counters, nowMs, reader: this.#publications },
      {
        namespace: this.namespace,
        stream: this.stream,
        keyed: this.options.keyed,
        created: this.#created,
        requestTimeoutMs: this.#nats.requestTimeoutMs,
        afterOffset,
        onPublication,
        onBroken,
        onNotice,
        onEnded: () => this.#followers.delete(follower),
      },
    );
    this.#followers.add(follower);
    await follower.begin();
    return follower;
  }

  lastOffset(topic: Topic): Promise<number> {
    return this.#limited(() => this.#reader.lastOffset(topic));
  }

  read(topic: Topic, range: ReadRange): Promise<ReadResult> {
    return this.#limited(() => this.#reader.read(topic, range));
  }

  readLast(topic: Topic, count: number): Promise<readonly Publication[]> {
    return this.#limited(() => this.#reader.readLast(topic, count));
  }

  snapshot(topic: Topic, after = 0): Promise<readonly Publication[]> {
    return this.#limited(() => this.#reader.snapshot(topic, after));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#followers].map((follower) => follower.stop()));
  }

  async #info(): Promise<StreamInfo> {
    const { connection, streams } = this.#context;
    try {
      return await connection.request(() => streams.manager.streams.info(this.stream));
    } catch (error) {
      // Somebody deleted it: a new one is a new epoch, which every client is told.
      if (isStreamNotFound(error)) return streams.ensure(this.namespace, this.options);
      throw unreachable(`stream ${this.stream}`, error);
    }
  }

  async #limited<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await this.#context.reads.run(read);
    } catch (error) {
      throw error instanceof BusError ? error : unreachable(`reading ${this.stream}`, error);
    }
  }
}
