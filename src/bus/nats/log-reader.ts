import type { StreamInfo } from '@nats-io/jetstream';
import type { NamespaceOptions } from '../../config/schema.ts';
import { type FeedName, isPattern } from '../../protocol/feed-name.ts';
import type { ReadRange, ReadResult, ScanRange, ScanResult } from '../log.ts';
import { newestWithin } from '../newest-within.ts';
import type { Publication } from '../publication.ts';
import { filterOf, hasOneSubject, subjectOf } from '../subjects.ts';
import { isAnchored, provenOfMany } from './anchor.ts';
import type { Connection } from './connection.ts';
import { beginLastSearch, narrow, nextProbe } from './last-search.ts';
import { type LatestAnswer, readLatest } from './latest-read.ts';
import { rangeOf } from './log-bounds.ts';
import type { PublicationReader } from './publication-reader.ts';
import { type RangePlan, readRange, withConsumer } from './range-read.ts';
import { nanosecondsOf, publicationOf } from './stored-message.ts';
import type { Streams } from './streams.ts';

export interface LogReaderOptions {
  readonly stream: string;
  readonly namespace: NamespaceOptions;
  readonly requestTimeoutMs: number;
  readonly pageBytesMax: number;
  readonly replicaCount: number;
  readonly nowMs: () => number;
}

/** Later than this nothing has been stored, whatever clocks say. */
const FUTURE_MS = 365 * 24 * 3600 * 1000;

/** A request for many subjects that has no answer for so long counts as refused. */
const LATEST_TIMEOUT_MS = 1000;

/** Of a read of a pattern: which offsets each subject had. */
type OffsetsOfSubjects = Map<string, number[]>;

/**
 * Reads one topic, one key of a topic, or what a pattern matches, from a stream. The leader says where it ends. The consumer that reads may be on a replica that
 * is behind; the read waits until it has reached that end.
 */
export class LogReader {
  readonly #connection: Connection;
  readonly #streams: Streams;
  readonly #reader: PublicationReader;
  readonly #options: LogReaderOptions;

  constructor(connection: Connection, streams: Streams, reader: PublicationReader, options: LogReaderOptions) {
    this.#connection = connection;
    this.#streams = streams;
    this.#reader = reader;
    this.#options = options;
  }

  async lastOffset(name: FeedName): Promise<number> {
    const last = await this.#get({ last_by_subj: this.#filter(name) });
    return last?.seq ?? 0;
  }

  /** The server says at which message a consumer that begins at a time begins. */
  async offsetBefore(atMs: number): Promise<number> {
    const { stream, nowMs } = this.#options;
    // Years that the server's clock cannot count would be its beginning.
    const from = { atMs: Math.min(atMs, nowMs() + FUTURE_MS) };
    return withConsumer(this.#connection, this.#streams, { stream, from }, async ({ delivered }) => delivered.stream_seq);
  }

  async read(name: FeedName, range: ReadRange): Promise<ReadResult> {
    const { after, upTo = Number.POSITIVE_INFINITY, limit, bytesMax = Number.POSITIVE_INFINITY } = range;
    const keyed = !this.#hasOneSubject(name);
    const publications: Publication[] = [];
    const lastOffset = await this.lastOffset(name);
    // The anchor is the topic's last publication, and still exists: nothing after it can have been removed.
    if (lastOffset === after && after > 0 && !keyed) return { publications, anchored: true, provenAfter: after, more: false };

    let more = false;
    let bytes = 0;
    let anchorSeen = false;
    let readUpTo = after;
    const ofSubjects: OffsetsOfSubjects = new Map();
    if (lastOffset > after && upTo > after) {
      await this.#collect(name, {
        // The anchor is read too: that the replica has it is the first half of the proof.
        from: after,
        endOffset: Math.min(lastOffset, upTo + 1),
        limit: limit + 2,
        take: (publication, offset) => {
          if (offset === after) anchorSeen = true;
          if (offset <= after) return true;
          if (offset > upTo) return false;
          bytes += publication?.payload.length ?? 0;
          more = publications.length === limit || (publications.length > 0 && bytes > bytesMax);
          if (more) return false;
          readUpTo = offset;
          if (publication === undefined) return true;
          publications.push(publication);
          if (isPattern(name)) addTo(ofSubjects, publication);
          return true;
        },
      });
    }
    if (isPattern(name)) {
      if (!more && upTo >= lastOffset) readUpTo = Math.max(readUpTo, lastOffset);
      return { publications, more, ...(await this.#provenOfMany(after, readUpTo, ofSubjects)) };
    }
    const anchored = await this.#isAnchored(name, after, anchorSeen);
    return { publications, anchored, provenAfter: anchored ? after : await this.#provenAfter(name, publications), more };
  }

  async scan(name: FeedName, { after, sinceMs }: ScanRange, take: (publication: Publication) => void): Promise<ScanResult> {
    // What the topic has up to the end of the log at this time is read, however far its last publication is before that.
    const { lastOffset: logEnd } = rangeOf(await this.#info());
    const endOffset = await this.lastOffset(name);
    let offset = 0;
    const ofSubjects: OffsetsOfSubjects = new Map();
    if (endOffset > after) {
      await this.#collect(name, {
        from: after + 1,
        endOffset,
        limit: Number.POSITIVE_INFINITY,
        take: (publication, at) => {
          offset = at;
          if (publication === undefined) return true;
          addTo(ofSubjects, publication);
          take(publication);
          return true;
        },
      });
    }
    const readUpTo = Math.max(after, endOffset, logEnd);
    const laterMax = await this.#countFrom(name, readUpTo + 1);
    const { anchored } = await this.#provenOfMany(after, readUpTo, ofSubjects, { sinceMs, laterMax });
    return { offset, anchored };
  }

  /** @param known when what comes after `after` was stored at the earliest, and what of the subjects is in the log after `readUpTo` */
  async #provenOfMany(
    after: number,
    readUpTo: number,
    read: OffsetsOfSubjects,
    { sinceMs = 0, ...known }: { readonly sinceMs?: number | undefined; readonly laterMax?: number } = {},
  ): Promise<Pick<ReadResult, 'anchored' | 'provenAfter'>> {
    const { namespace, replicaCount, nowMs } = this.#options;
    const { maxCount: countMax, maxAgeMs } = namespace.history;
    const info = await this.#info();
    const { messages, first_ts } = info.state;
    const log = { ...rangeOf(info), publicationCount: messages };
    const ageShare = messages === 0 ? 0 : (nowMs() - Math.max(sinceMs, nanosecondsOf(first_ts) / 1e6)) / maxAgeMs;
    const provenAfter = provenOfMany({ after, readUpTo, offsets: read.values(), ...known, log, countMax, ageShare, replicaCount });
    return { anchored: provenAfter === after, provenAfter };
  }

  /** The first publication that was read is an anchor too, for what follows it. */
  async #provenAfter(name: FeedName, [first]: readonly Publication[]): Promise<number | undefined> {
    if (first === undefined || !this.#hasOneSubject(name)) return undefined;
    return (await this.#isAnchored(name, first.offset, true)) ? first.offset : undefined;
  }

  async readLast(name: FeedName, count: number, bytesMax: number): Promise<readonly Publication[]> {
    const [lastOffset, info] = await Promise.all([this.lastOffset(name), this.#info()]);
    if (lastOffset === 0) return [];
    const { firstOffset } = rangeOf(info);
    let search = beginLastSearch(count, firstOffset, lastOffset, await this.#countFrom(name, firstOffset));
    for (let probe = nextProbe(search); probe !== undefined; probe = nextProbe(search)) {
      search = narrow(search, probe, await this.#countFrom(name, probe));
    }
    let publications: Publication[] = [];
    let bytes = 0;
    const trim = () => {
      publications = [...newestWithin(publications.slice(-count), bytesMax)];
      bytes = publications.reduce((sum, { payload }) => sum + payload.length, 0);
    };
    await this.#collect(name, {
      from: search.low,
      endOffset: lastOffset,
      limit: Number.POSITIVE_INFINITY,
      take: (publication) => {
        if (publication === undefined) return true;
        publications.push(publication);
        bytes += publication.payload.length;
        // Discarded in chunks, so that a topic that grows meanwhile, or is larger than requested, costs little more.
        if (publications.length > 2 * count + 64 || bytes > 2 * bytesMax + 65_536) trim();
        return true;
      },
    });
    trim();
    return publications;
  }

  /** The last publication of a subject; undefined: it has none. */
  async latest(subject: string): Promise<Publication | undefined> {
    const last = await this.#get({ last_by_subj: subject });
    return last === null ? undefined : publicationOf(last, this.#reader);
  }

  /** The same of many. A replica may answer, so the leader says first how far its answer must reach. */
  async latestOfMany(subjects: readonly string[]): Promise<LatestAnswer> {
    const { stream, pageBytesMax, requestTimeoutMs } = this.#options;
    const info = await this.#info();
    const { lastOffset } = rangeOf(info);
    if (info.state.messages === 0) return { kind: 'found', found: new Map(), leftOut: 0 };
    const question = {
      subjects,
      endOffset: lastOffset,
      requestSubject: `${this.#streams.api}.DIRECT.GET.${stream}`,
      bytesMax: pageBytesMax,
      timeoutMs: Math.min(LATEST_TIMEOUT_MS, requestTimeoutMs),
    };
    return readLatest(this.#connection, this.#reader, question, async () => (await this.#get({ seq: lastOffset }))?.subject);
  }

  async snapshot(name: FeedName, after: number): Promise<Publication[]> {
    if (this.#hasOneSubject(name)) {
      const publication = await this.latest(this.#filter(name));
      return publication === undefined || publication.offset <= after ? [] : [publication];
    }
    const lastOffset = await this.lastOffset(name);
    if (lastOffset <= after) return [];
    const latest = new Map<string, Publication>();
    await this.#collect(name, {
      from: 'last_per_subject',
      endOffset: lastOffset,
      limit: Number.POSITIVE_INFINITY,
      take: (publication) => {
        // A key that changes during the read comes twice.
        if (publication !== undefined && publication.offset > after) latest.set(subjectOf(publication.topic, publication.key), publication);
        return true;
      },
    });
    return [...latest.values()].sort((a, b) => a.offset - b.offset);
  }

  async #collect(
    name: FeedName,
    plan: Pick<RangePlan, 'from' | 'endOffset' | 'limit'> & { take: (publication: Publication | undefined, offset: number) => boolean },
  ): Promise<void> {
    const { stream, requestTimeoutMs, pageBytesMax } = this.#options;
    const range: RangePlan = {
      ...plan,
      stream,
      filter: this.#filter(name),
      currentEndOffset: () => this.lastOffset(name),
      take: (message, delivery) => plan.take(this.#reader.fromLog(message, delivery), delivery.streamSeq),
    };
    await withConsumer(this.#connection, this.#streams, range, ({ name }) =>
      readRange(this.#connection, name, { ...range, api: this.#streams.api, pageBytesMax }, requestTimeoutMs),
    );
  }

  async #countFrom(name: FeedName, from: number): Promise<number> {
    const { stream } = this.#options;
    return withConsumer(
      this.#connection,
      this.#streams,
      { stream, filter: this.#filter(name), from },
      async ({ num_pending }) => num_pending,
    );
  }

  async #isAnchored(name: FeedName, after: number, anchorSeen: boolean): Promise<boolean> {
    const { namespace, replicaCount, nowMs } = this.#options;
    const keyed = !this.#hasOneSubject(name);
    const { history } = namespace;
    const share = (time: string) => (nowMs() - nanosecondsOf(time) / 1e6) / history.maxAgeMs;
    const common = { after, keyed, countMax: history.maxCount, replicaCount };
    if (anchorSeen && !keyed) {
      const anchor = await this.#get({ seq: after });
      return anchor !== null && isAnchored({ ...common, anchorKept: true, ageShare: share(anchor.timestamp) });
    }
    const filter = this.#filter(name);
    const info = await this.#info(keyed ? undefined : filter);
    const { messages, first_ts, subjects } = info.state;
    const log = { ...rangeOf(info), publicationCount: messages, topicCount: keyed ? undefined : (subjects?.[filter] ?? 0) };
    return isAnchored({ ...common, anchorKept: false, log, ageShare: messages === 0 ? 0 : share(first_ts) });
  }

  async #info(subject?: string): Promise<StreamInfo> {
    const options = subject === undefined ? {} : { subjects_filter: subject };
    return this.#connection.request(() => this.#streams.manager.streams.info(this.#options.stream, options));
  }

  async #get(query: { readonly last_by_subj: string } | { readonly seq: number }) {
    return this.#connection.request(() => this.#streams.manager.streams.getMessage(this.#options.stream, query));
  }

  #hasOneSubject(name: FeedName): boolean {
    return hasOneSubject(name, this.#options.namespace);
  }

  #filter(name: FeedName): string {
    return filterOf(name, this.#options.namespace);
  }
}

function addTo(read: OffsetsOfSubjects, { topic, key, offset }: Publication): void {
  const subject = subjectOf(topic, key);
  const known = read.get(subject);
  if (known === undefined) read.set(subject, [offset]);
  else known.push(offset);
}
