import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '../bus/bus.ts';
import { BusError } from '../bus/bus-error.ts';
import type { Log, LogState, ReadResult } from '../bus/log.ts';
import type { Config } from '../config/schema.ts';
import type { HistoryAnswer, RecoveryAnswer } from '../link/answers.ts';
import type { LinkItem } from '../link/publication-message.ts';
import type { PageQuestion } from '../link/questions.ts';
import { SharedReads } from '../link/shared-reads.ts';
import { type FeedName, keyOf, topicOf } from '../protocol/feed-name.ts';
import { hasDocuments } from '../protocol/feed-state.ts';
import type { Topic } from '../protocol/topic.ts';
import { KeptReads } from '../recent/kept-reads.ts';
import { lastOf, newestOf, newestWithin, nothingOf } from '../recent/missed.ts';
import { DocumentReader } from './documents/document-reader.ts';
import { DocumentsReader } from './documents/documents-reader.ts';
import type { HubMetrics } from './hub-metrics.ts';
import type { HubTopic } from './hub-topic.ts';
import { LastReads, type ReadNote } from './last-reads.ts';
import { dataBytes, LogReads, READ_AHEAD_BYTES } from './log-reads.ts';
import { pageOf, whatOf } from './page.ts';
import type { TopicRegistry } from './topic-registry.ts';

export type RecoveryQuestion = Pick<PageQuestion, 'topic' | 'after'>;

/** Minimum length of a recovery read: clients that were disconnected at the same time were not at exactly the same position. */
const MARGIN_MIN = 256;
/** How long to wait for a position that another node has already passed. */
const REACH_TIMEOUT_MS = 2000;
/** If the log takes longer, a topic is opened without what its first client missed: other subscribers may have missed nothing. */
const BRING_TIMEOUT_MS = 250;

/**
 * A topic's past: from what the hub has of it, otherwise from the log, which is read once for all concurrent requests. Recovery is all or nothing; history is
 * in pages.
 */
export class History {
  readonly #config: Config;
  readonly #registry: TopicRegistry;
  readonly #metrics: HubMetrics;
  readonly #recoveries = new SharedReads((topic, after) => this.#readForRecovery(topic, after));
  /** Reads under way, by what was requested. */
  readonly #pages = new Map<string, Promise<RecoveryAnswer>>();
  readonly #logs: LogReads;
  /** Recent reads of the log, so that a large answer is not read again for each of its pages, nor the last publications of a quiet topic for every client. */
  readonly #kept: KeptReads<LinkItem, ReadNote>;
  readonly #lasts: LastReads;
  readonly #document: DocumentReader;
  readonly #documents: DocumentsReader;

  constructor(config: Config, bus: Bus, registry: TopicRegistry, metrics: HubMetrics) {
    this.#config = config;
    this.#registry = registry;
    this.#metrics = metrics;
    this.#logs = new LogReads(config, bus, metrics);
    this.#kept = new KeptReads(registry.recent);
    this.#lasts = new LastReads(this.#logs, this.#kept, config.tuning.answers.historyBytesMax);
    const onOtherBounds = (topic: FeedName, detail: string) => metrics.image('other_bounds', topic, detail);
    const { keysPerTopicMax: removedMax } = config.tuning.recent;
    const reading = { waitingMax: config.tuning.nats.readsWaitingMax, removedMax, onOtherBounds };
    this.#document = new DocumentReader(reading);
    this.#documents = new DocumentsReader(reading);
  }

  /** Maximum bytes of log reads under way, and bytes of kept reads. */
  get bytes(): { readonly reading: number; readonly kept: number } {
    this.#kept.forgetOld(performance.now());
    return { reading: this.#logs.bytes, kept: this.#kept.bytes };
  }

  /**
   * The request names no epoch. The answer does, and the requester compares it with its own when the answer arrives: the log may have been replaced since the
   * request.
   * @throws BusError
   */
  async recover({ topic, after }: RecoveryQuestion): Promise<RecoveryAnswer> {
    const feed = this.#registry.feedOf(topic);
    if (feed === undefined) throw startingOver(topic);
    await feed.ready();
    if (after > feed.position) {
      const reached = after <= endOf(await feed.end()) && (await feed.reach(after, REACH_TIMEOUT_MS));
      // Beyond the end of the log: the position does not belong to this epoch.
      if (!reached) return nothingOf(feed.epoch);
    }
    const cached = this.#cached(topic, after);
    return cached === undefined
      ? this.#recoveries.ask(topic, after)
      : newestOf(cached, this.#config.tuning.recovery.recoveryBytesMax, dataBytes);
  }

  /**
   * Reads what came after the offset, for a topic that is being opened: as much of it as its ring has room for is kept there. Never rejects: a requester that
   * does not find it there asks for it.
   */
  async bring(question: RecoveryQuestion): Promise<void> {
    const brought = this.recover(question).catch(() => undefined);
    const timeout = new AbortController();
    await Promise.race([brought, sleep(BRING_TIMEOUT_MS, undefined, { signal: timeout.signal }).catch(() => undefined)]);
    timeout.abort();
  }

  /** @throws BusError, ProtocolError `busy` */
  async page(question: PageQuestion): Promise<HistoryAnswer> {
    const { topic, epoch, after, limit, upTo } = question;
    const { epoch: now, isBeyond } = await this.#lifeAt(topic, after);
    if (now !== epoch || isBeyond) return { epoch: now, offset: 0, complete: false, more: false, items: [] };
    // A range of the log is not the state of a topic with keys or a document.
    // What has been published before a time may be on its way to this node.
    const isHere = question.proven !== true || (this.#registry.feedOf(topic)?.position ?? 0) >= (upTo ?? 0);
    const isAsHere = upTo === undefined || (this.#logs.namespace(topic).state === 'last' && isHere);
    const cached = isAsHere ? this.#cached(topic, after) : undefined;
    const what = whatOf(question);
    const read =
      cached ??
      this.#readAlready(what, question) ??
      (await this.#once(`${what} ${after} ${upTo} ${limit} ${question.bytesMax}`, () => this.#readPage(question)));
    return pageOf(read, question);
  }

  /** The first page of the topic's last publications. @throws BusError, ProtocolError `busy` */
  async last(topic: FeedName, count: number, bytesMax: number): Promise<HistoryAnswer> {
    const epoch = await this.epochOf(topic);
    const read =
      this.#lastCached(topic, count) ?? (await this.#once(`last ${topic} ${count}`, () => this.#lasts.read(topic, epoch, count)));
    const page = pageOf(read, { after: read.completeFrom ?? 0, limit: count, bytesMax });
    return { ...page, lastOffset: read.offset };
  }

  /** The answer without reading the log, if there is one. */
  #cached(topic: FeedName, after: number): RecoveryAnswer | undefined {
    const open = this.#openTopic(topic);
    if (open === undefined) return undefined;
    const items = open.after(after);
    this.#metrics.cacheReads.inc({ outcome: items === undefined ? 'miss' : 'hit' });
    return items && { epoch: open.epoch, completeFrom: after, offset: Math.max(after, open.offset), items };
  }

  #lastCached(topic: FeedName, count: number): RecoveryAnswer | undefined {
    const open = this.#openTopic(topic);
    const cached = open?.last(count);
    if (open === undefined || cached === undefined) return undefined;
    this.#metrics.cacheReads.inc({ outcome: 'hit' });
    const items = newestWithin(cached, this.#config.tuning.answers.historyBytesMax, dataBytes);
    return lastOf({ epoch: open.epoch, completeFrom: 0, offset: open.offset, items }, count);
  }

  async #readForRecovery(topic: FeedName, after: number): Promise<RecoveryAnswer> {
    // Another read may have returned it meanwhile.
    const cached = this.#cached(topic, after);
    if (cached !== undefined) return cached;
    const open = this.#openTopic(topic);
    if (open === undefined) throw startingOver(topic);
    const { epoch } = open;
    // Topics with keys or a document recover by their state, and the worker has the hub's state.
    if (open.state !== 'last') return { epoch, completeFrom: open.offset, offset: open.offset, items: [] };
    const log = this.#logs.log(topic);
    const { recoveryItemsMax: limit, recoveryBytesMax: bytesMax } = this.#config.tuning.recovery;
    const passed = open.offset;
    const from = Math.max(0, after - Math.max(MARGIN_MIN, passed - after));
    const read = await this.#logs.read('recovery', bytesMax, () => log.read(topic, { after: from, limit, bytesMax }));
    // Further back than a recovery may reach: the newest publications, for clients that were not so far behind.
    const { publications, provenAfter } = read.more ? await this.#readNewest(topic, limit, bytesMax) : read;
    if (open.epoch !== epoch || !open.isOpen) return nothingOf(epoch);
    // If nothing is proven, there is nothing before this node's position: it would have been in the log at the read, if it still existed.
    const completeFrom = Math.max(provenAfter ?? passed, open.knownFrom);
    const items = this.#logs.items(topic, publications).filter(({ offset }) => offset > completeFrom);
    const upTo = Math.max(items.at(-1)?.offset ?? 0, passed);
    open.prepend(items, completeFrom, upTo);
    return { epoch, completeFrom, offset: upTo, items };
  }

  async #readNewest(topic: FeedName, limit: number, bytesMax: number): Promise<Pick<ReadResult, 'publications' | 'provenAfter'>> {
    const log = this.#logs.log(topic);
    const publications = await this.#logs.read('recovery', bytesMax, () => log.readLast(topic, limit, bytesMax));
    const after = publications[0]?.offset;
    if (after === undefined) return { publications, provenAfter: undefined };
    // The first is still there, so none of the others can have been removed before it was read.
    const { anchored } = await log.read(topic, { after, limit: 1 });
    return { publications, provenAfter: anchored ? after : undefined };
  }

  /** The next page of a recent read, unless there are newer publications. */
  #readAlready(what: string, { topic, epoch, after, upTo: end = 0 }: PageQuestion): RecoveryAnswer | undefined {
    const read = this.#kept.get(what, epoch, performance.now())?.missed;
    if (read === undefined || read.offset < (this.#openTopic(topic)?.offset ?? 0)) return undefined;
    const { completeFrom = Number.POSITIVE_INFINITY, offset: upTo } = read;
    return completeFrom < after && after < upTo && (upTo >= end || read.more === true) ? read : undefined;
  }

  async #readPage(question: PageQuestion): Promise<RecoveryAnswer> {
    const { topic, epoch, after, limit, upTo } = question;
    const passed = Math.max(this.#openTopic(topic)?.offset ?? 0, after);
    const log = this.#logs.log(topic);
    if (hasDocuments(this.#logs.namespace(topic)) && upTo === undefined) return this.#readDocument(question, log, passed);
    if (this.#logs.namespace(topic).state === 'keyed' && upTo === undefined) {
      const { firstOffset } = await log.state();
      const items = this.#logs.items(
        topic,
        await this.#logs.read('history', this.#config.tuning.answers.historyBytesMax, () => log.snapshot(topic, after)),
      );
      // Age and size limits remove the oldest of the whole log first: while the log begins at or before the position, no key's latest item after it has been
      // removed.
      const completeFrom = firstOffset <= after + 1 ? after : undefined;
      return this.#keep(question, { epoch, completeFrom, offset: Math.max(items.at(-1)?.offset ?? 0, passed), items });
    }
    const bytesMax = Math.max(question.bytesMax, READ_AHEAD_BYTES);
    const range = { after, limit, bytesMax, ...(upTo !== undefined && { upTo }) };
    const { publications, anchored, more } = await this.#logs.read('history', bytesMax, () => log.read(topic, range));
    const last = publications.at(-1)?.offset ?? 0;
    const offset = more ? last : Math.max(last, upTo ?? passed);
    // The last publications do not depend on what lay before them.
    const isComplete = anchored || (upTo !== undefined && question.proven !== true);
    const completeFrom = isComplete ? after : undefined;
    return this.#keep(question, { epoch, completeFrom, offset, items: this.#logs.items(topic, publications), more });
  }

  async #readDocument(question: PageQuestion, log: Log, passed: number): Promise<RecoveryAnswer> {
    const { topic, epoch, after } = question;
    const namespace = this.#logs.namespace(topic);
    const name = topicOf(topic) as Topic;
    const history = await log.state();
    const { document, offset = 0 } = namespace.patch
      ? await this.#documents.read(log, name, namespace, history).then(({ documents, ...read }) => ({ ...read, document: documents }))
      : await this.#document.read(log, name, namespace, history);
    const key = keyOf(topic);
    const items = document.after(after)?.filter((item) => key === undefined || item.key === key);
    return { epoch, completeFrom: items && after, offset: Math.max(offset, passed), items: items ?? [] };
  }

  /** For requests that continue. */
  #keep(question: PageQuestion, answer: RecoveryAnswer): RecoveryAnswer {
    if (answer.completeFrom !== undefined) this.#kept.put(whatOf(question), answer, { lastCount: 0 }, performance.now());
    return answer;
  }

  /** The epoch of the topic; a followed namespace knows it for certain. */
  async epochOf(topic: FeedName): Promise<string> {
    const feed = this.#registry.feedOf(topic);
    if (feed === undefined) return (await this.#logs.log(topic).state()).epoch;
    await feed.ready();
    return feed.epoch;
  }

  /** Its present epoch, and whether the offset is beyond the end of its log: nobody has ever been there. @throws BusError */
  async #lifeAt(topic: FeedName, offset: number): Promise<{ readonly epoch: string; readonly isBeyond: boolean }> {
    const feed = this.#registry.feedOf(topic);
    if (feed === undefined) {
      const state = await this.#logs.log(topic).state();
      return { epoch: state.epoch, isBeyond: offset > endOf(state) };
    }
    await feed.ready();
    // Another node may have come further than this one.
    const isBeyond = offset > feed.position && offset > endOf(await feed.end());
    return { epoch: feed.epoch, isBeyond };
  }

  #once(question: string, read: () => Promise<RecoveryAnswer>): Promise<RecoveryAnswer> {
    const running = this.#pages.get(question);
    if (running !== undefined) return running;
    const answer = read().finally(() => this.#pages.delete(question));
    this.#pages.set(question, answer);
    return answer;
  }

  #openTopic(topic: FeedName): HubTopic | undefined {
    const open = this.#registry.get(topic);
    return open?.isOpen ? open : undefined;
  }
}

/** Of a mirror: that of its origin, which other nodes may follow. */
function endOf({ lastOffset, originLastOffset = lastOffset }: LogState): number {
  return originLastOffset;
}

function startingOver(topic: FeedName): BusError {
  return new BusError('bus_unreachable', `${topic} is starting over`);
}
