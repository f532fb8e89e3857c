import type { StreamInfo } from '@nats-io/jetstream';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { FeedName } from '../../protocol/feed-name.ts';
import { hasDocuments } from '../../protocol/feed-state.ts';
import type { BusCounters, BusNotice } from '../bus.ts';
import { BusError } from '../bus-error.ts';
import type { Limiter } from '../limiter.ts';
import type { Follower, Interest, Log, LogState, ReadRange, ReadResult, ScanRange, ScanResult } from '../log.ts';
import type { Publication } from '../publication.ts';
import type { SubjectFaults } from '../subject-faults.ts';
import { filterOf, streamNameOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { EpochKeeper, type Following, REAL_CLOCK } from './epoch-keeper.ts';
import type { EpochStore } from './epoch-store.ts';
import { isStreamNotFound, unreachable } from './errors.ts';
import { NatsFollower } from './follower.ts';
import { LatestReads } from './latest-reads.ts';
import { rangeOf } from './log-bounds.ts';
import { LogReader } from './log-reader.ts';
import { assertMirror } from './mirror.ts';
import { NatsImages } from './nats-images.ts';
import { OriginSignatures } from './origin-signatures.ts';
import { PublicationReader } from './publication-reader.ts';
import type { NatsSettings } from './settings.ts';
import { nanosecondsOf } from './stored-message.ts';
import type { Streams } from './streams.ts';
import { SubjectCheck } from './subject-check.ts';

export interface NatsLogContext {
  readonly connection: Connection;
  readonly streams: Streams;
  /** For the mirror, if the namespace has one. */
  readonly mirrorStreams: Streams | undefined;
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
  /** The stream that publications go to. */
  readonly stream: string;
  /** The stream that is followed and read: the namespace's, or its mirror. */
  readonly #source: { readonly stream: string; readonly streams: Streams };
  #sourceCreated = '';
  readonly options: NamespaceOptions;
  readonly images: NatsImages | undefined;
  readonly #nats: NatsSettings;
  readonly #context: NatsLogContext;
  readonly #publications: PublicationReader;
  readonly #subjects: SubjectCheck;
  readonly #reader: LogReader;
  readonly #latest: LatestReads;
  /** Each with the epoch that it follows. */
  readonly #followers = new Map<NatsFollower, string>();
  readonly #epochs: EpochKeeper;

  constructor(namespace: string, options: NamespaceOptions, nats: NatsSettings, context: NatsLogContext) {
    const { connection, streams, mirrorStreams, epochs, lives, faults, nowMs, onNotice } = context;
    this.namespace = namespace;
    this.options = options;
    this.stream = streamNameOf(namespace);
    this.#source = mirrorStreams === undefined ? { stream: this.stream, streams } : { stream: options.mirror, streams: mirrorStreams };
    this.#nats = nats;
    this.#context = context;
    this.#subjects = new SubjectCheck({
      namespace,
      options,
      faults,
      subjectsMax: nats.subjectCheckMax,
      info: (query) => connection.request(() => streams.manager.streams.info(this.stream, query)),
      isFollowed: () => [...this.#followers.keys()].some(({ filteredTopics }) => filteredTopics === undefined),
      nowMs,
    });
    const place = { stream: this.stream, source: this.#source, options, timeoutMs: nats.requestTimeoutMs };
    const images = hasDocuments(options) ? new NatsImages(connection, place) : undefined;
    this.images = images;
    const signed = { ...options, signatures: new OriginSignatures(nats.originSecrets), subjectsMax: nats.subjectsRememberedMax };
    this.#publications = new PublicationReader(signed, {
      onFault: (subject, fault, offset) => this.#subjects.note(subject, fault, offset),
      onImage: (topic, image) => images?.noteStored(topic, image),
      onForged: () => void context.counters.originsForged++,
    });
    // What is read again must not be counted again.
    const quietly = new PublicationReader(signed, { onFault: () => undefined });
    this.#reader = new LogReader(connection, this.#source.streams, quietly, {
      stream: this.#source.stream,
      namespace: options,
      requestTimeoutMs: nats.requestTimeoutMs,
      pageBytesMax: nats.readPageBytesMax,
      replicaCount: nats.streamReplicas,
      nowMs,
    });
    this.#latest = new LatestReads({
      together: (subjects) => this.#reader.latestOfMany(subjects),
      alone: (subject) => this.#limited(() => this.#reader.latest(subject)),
      nowMs: () => performance.now(),
    });
    this.#epochs = new EpochKeeper({
      namespace,
      store: epochs,
      lives,
      info: () => this.#info(),
      timeOf: (offset) => this.#timeOf(offset),
      following: () => this.#witness(),
      clock: REAL_CLOCK,
      onNotice,
    });
    connection.onChange(() => this.#epochs.doubt());
  }

  /** As of the last request to the log. */
  get epoch(): string {
    return this.#epochs.epoch;
  }

  async state(): Promise<LogState> {
    try {
      for (;;) {
        await this.#epochs.confirm();
        const info = await this.#info();
        if (info.created === this.#epochs.created)
          return { epoch: this.epoch, before: this.#epochs.before, ...this.#knownFrom(), ...(await this.#sourceRange(info)) };
        this.#epochs.doubt();
      }
    } catch (error) {
      if (error instanceof BusError && error.code === 'mirror_too_old') {
        for (const follower of this.#followers.keys()) follower.abandon(error.message);
      }
      throw unreachable(`the log of ${this.namespace}`, error, this.#context.connection.names);
    }
  }

  async follow(
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
    interest?: Interest,
  ): Promise<Follower> {
    const { connection, counters, nowMs, onNotice } = this.#context;
    const { stream, streams } = this.#source;
    const isMirror = this.#context.mirrorStreams !== undefined;
    const { epoch } = this;
    const follower = new NatsFollower(
      { connection, streams, counters, nowMs, reader: this.#publications },
      {
        namespace: this.namespace,
        stream,
        mayBeBehind: isMirror,
        options: this.options,
        interest,
        interestBounds: this.#nats,
        created: this.#sourceCreated,
        requestTimeoutMs: this.#nats.requestTimeoutMs,
        afterOffset,
        onPublication,
        onBroken: (error) => {
          // What a mirror has proves nothing against the log.
          if (error.code === 'log_rolled_back' && !isMirror) this.#epochs.void(epoch);
          onBroken(error);
        },
        onNotice: (message) => onNotice('warn', message),
        // The bucket may have been lost with the server: others wait for a node that can confirm the log.
        onLive: () => {
          this.#epochs.doubt();
          void this.#epochs.confirm().catch(() => undefined);
        },
        onEnded: () => {
          this.#followers.delete(follower);
          this.#epochs.ended({ epoch, follower, anchor: follower.anchor });
        },
      },
    );
    this.#followers.set(follower, epoch);
    await follower.begin();
    return follower;
  }

  lastOffset(name: FeedName): Promise<number> {
    return this.#limited(() => this.#reader.lastOffset(name));
  }

  offsetBefore(atMs: number): Promise<number> {
    return this.#limited(() => this.#reader.offsetBefore(atMs));
  }

  read(name: FeedName, range: ReadRange): Promise<ReadResult> {
    return this.#limited(() => this.#reader.read(name, range));
  }

  readLast(name: FeedName, count: number, bytesMax = Number.POSITIVE_INFINITY): Promise<readonly Publication[]> {
    return this.#limited(() => this.#reader.readLast(name, count, bytesMax));
  }

  scan(name: FeedName, range: ScanRange, take: (publication: Publication) => void): Promise<ScanResult> {
    return this.#limited(() => this.#reader.scan(name, range, take));
  }

  snapshot(name: FeedName, after = 0): Promise<readonly Publication[]> {
    return this.#limited(() => this.#reader.snapshot(name, after));
  }

  latest(names: readonly FeedName[]): Promise<readonly (Publication | undefined)[]> {
    return this.#latest.read(names.map((name) => filterOf(name, this.options)));
  }

  /** Checks for producers' wrong subjects while nothing follows the log. @throws Error */
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

  /** The follower that has seen most, if any. */
  #following(): Following | undefined {
    let furthest: Following | undefined;
    for (const [follower, epoch] of this.#followers) {
      const { live, anchor } = follower;
      if (furthest === undefined || (live && !furthest.live)) furthest = { follower, epoch, live, anchor };
    }
    return furthest;
  }

  /** What following shows about the log. A follower of a mirror shows only what the origin had. */
  #witness(): Following | undefined {
    const following = this.#following();
    return following && { ...following, ofMirror: this.#context.mirrorStreams !== undefined };
  }

  /** Not for a mirror: its deliveries are no evidence about its origin, so a keyed origin would always be in doubt. */
  #knownFrom(): Pick<LogState, 'knownFrom'> {
    const { knownFrom } = this.#epochs;
    return knownFrom === 0 || this.#context.mirrorStreams !== undefined ? {} : { knownFrom };
  }

  /** The bounds of what is followed and read. @throws BusError if a mirror cannot replace its origin */
  async #sourceRange(origin: StreamInfo): Promise<Omit<LogState, 'epoch'>> {
    const { mirrorStreams, connection } = this.#context;
    if (mirrorStreams === undefined) {
      this.#sourceCreated = origin.created;
      return rangeOf(origin);
    }
    const mirror = await connection
      .request(() => mirrorStreams.manager.streams.info(this.#source.stream))
      .catch((error) => {
        if (!isStreamNotFound(error)) throw error;
        throw new BusError(
          'stream_missing',
          `stream ${this.#source.stream} (namespaces.${this.namespace}.mirror) does not exist; nodes do not create mirrors`,
        );
      });
    const { namespace, options } = this;
    assertMirror({ namespace, options, nats: this.#nats, mirror, origin, lifeBegunAtMs: this.#epochs.begunAtMs });
    this.#sourceCreated = mirror.created;
    return { ...rangeOf(mirror), originLastOffset: origin.state.last_seq };
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
      // Somebody deleted it. A new stream is a new epoch, and every client is told.
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
