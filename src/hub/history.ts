import { type Bus, BusError, type Publication, type ReadResult } from '../bus/bus.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HistoryAnswer, LinkItem, RecoveryAnswer } from '../link/messages.ts';
import { SharedReads } from '../link/shared-reads.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import type { HubMetrics } from './hub-metrics.ts';
import type { HubTopic } from './hub-topic.ts';
import { toLinkItems } from './link-item.ts';
import { bytesOf } from './topic-cache.ts';
import type { TopicRegistry } from './topic-registry.ts';

export interface PageQuestion {
  readonly topic: Topic;
  readonly epoch: string;
  readonly after: number;
  readonly limit: number;
}

export type RecoveryQuestion = Pick<PageQuestion, 'topic' | 'after'>;

/** Publications in one page at most; the client asks on from the last one. */
export const PAGE_ITEMS_MAX = 10_000;
/** Their bytes at most, one publication in any case: a page is one record on the link and one message on a socket. */
export const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** A recovery reads as far again as it must, and so much at least: clients that were cut off together were not at quite the same place. */
const MARGIN_MIN = 256;
/** A position that another node has passed already is waited for so long. */
const REACH_TIMEOUT_MS = 2000;

/**
 * A topic's past: from what the hub holds of it, else from the log, which is read once for all who ask at once. For recovery it is all or nothing,
 * for history it is pages.
 */
export class History {
  readonly #config: Config;
  readonly #bus: Bus;
  readonly #registry: TopicRegistry;
  readonly #metrics: HubMetrics;
  readonly #recoveries = new SharedReads((topic, after) => this.#readForRecovery(topic, after));
  /** Reads under way, by what was asked. */
  readonly #pages = new Map<string, Promise<HistoryAnswer>>();

  constructor(config: Config, bus: Bus, registry: TopicRegistry, metrics: HubMetrics) {
    this.#config = config;
    this.#bus = bus;
    this.#registry = registry;
    this.#metrics = metrics;
  }

  /**
   * The question names no epoch. The answer does, and whoever asked compares it with its own when the answer has come: the log may have been
   * replaced since the question.
   * @throws BusError
   */
  async recover({ topic, after }: RecoveryQuestion): Promise<RecoveryAnswer> {
    const feed = this.#registry.feedOf(topic);
    if (feed === undefined) throw startingOver(topic);
    await feed.ready();
    if (after > feed.position) {
      const reached = after <= (await feed.end()).lastOffset && (await feed.reach(after, REACH_TIMEOUT_MS));
      // Beyond the end of the log: no position of this life.
      if (!reached) return nothingOf(feed.epoch);
    }
    return this.#held(topic, after) ?? (await this.#recoveries.ask(topic, after));
  }

  /** @throws BusError */
  async page(question: PageQuestion): Promise<HistoryAnswer> {
    const { topic, epoch, after } = question;
    const limit = Math.min(question.limit, PAGE_ITEMS_MAX);
    const now = await this.#epoch(topic);
    if (now !== epoch) return { epoch: now, offset: 0, complete: false, more: false, items: [] };
    const held = this.#held(topic, after);
    if (held !== undefined) return pageOf(held, { after, limit });
    return this.#once(`${topic} ${after} ${limit}`, () => this.#readPage({ topic, epoch, after, limit }));
  }

  /** The topic's last publications. @throws BusError */
  async last(topic: Topic, count: number): Promise<HistoryAnswer> {
    const epoch = await this.#epoch(topic);
    const open = this.#openTopic(topic);
    const { cache } = open ?? {};
    if (open !== undefined && cache !== undefined && cache.size >= count) {
      this.#metrics.cacheReads.inc({ outcome: 'hit' });
      return { epoch, offset: open.offset, complete: true, more: false, items: newestWithin(cache.last(count)) };
    }
    return this.#once(`${topic} last ${count}`, async () => {
      const log = this.#bus.log(namespaceOf(topic));
      this.#metrics.logReads.inc({ kind: 'last' });
      const { lastOffset } = await log.state();
      const items = this.#items(topic, await log.readLast(topic, count, PAGE_BYTES_MAX));
      return { epoch, offset: items.at(-1)?.offset ?? lastOffset, complete: true, more: false, items: newestWithin(items) };
    });
  }

  /** What can be said without the log. */
  #held(topic: Topic, after: number): RecoveryAnswer | undefined {
    const open = this.#openTopic(topic);
    if (open === undefined) return undefined;
    const items = after >= open.offset ? [] : open.keyed ? open.changedAfter(after) : open.cache?.after(after);
    this.#metrics.cacheReads.inc({ outcome: items === undefined ? 'miss' : 'hit' });
    return items && { epoch: open.epoch, completeFrom: after, offset: Math.max(after, open.offset), items };
  }

  async #readForRecovery(topic: Topic, after: number): Promise<RecoveryAnswer> {
    // Another read may have brought it meanwhile.
    const held = this.#held(topic, after);
    if (held !== undefined) return held;
    const open = this.#openTopic(topic);
    if (open === undefined) throw startingOver(topic);
    const { epoch, cache } = open;
    // Keys recover by state, and the hub's is the worker's.
    if (open.keyed) return { epoch, completeFrom: open.offset, offset: open.offset, items: [] };
    const log = this.#bus.log(namespaceOf(topic));
    const { recoveryItemsMax: limit, recoveryBytesMax: bytesMax } = this.#config.limits;
    const passed = open.offset;
    this.#metrics.logReads.inc({ kind: 'recovery' });
    const from = Math.max(0, after - Math.max(MARGIN_MIN, passed - after));
    const read = await log.read(topic, { after: from, limit, bytesMax });
    // Further back than can be brought back at once: the newest, for those who were not so far.
    const { publications, provenAfter } = read.more ? await this.#readNewest(topic, limit, bytesMax) : read;
    if (open.epoch !== epoch || !open.isOpen) return nothingOf(epoch);
    // Where nothing is proven there is no past before what this node has passed: that was in the log before the read, if it still was there.
    const completeFrom = provenAfter ?? passed;
    const items = this.#items(topic, publications).filter(({ offset }) => offset > completeFrom);
    const upTo = Math.max(items.at(-1)?.offset ?? 0, passed);
    cache?.prepend(items, completeFrom, upTo);
    return { epoch, completeFrom, offset: upTo, items };
  }

  async #readNewest(topic: Topic, limit: number, bytesMax: number): Promise<Pick<ReadResult, 'publications' | 'provenAfter'>> {
    const log = this.#bus.log(namespaceOf(topic));
    this.#metrics.logReads.inc({ kind: 'recovery' });
    const publications = await log.readLast(topic, limit, bytesMax);
    const after = publications[0]?.offset;
    if (after === undefined) return { publications, provenAfter: undefined };
    // The first is still there, so none of the others can have been removed before it was read.
    const { anchored } = await log.read(topic, { after, limit: 1 });
    return { publications, provenAfter: anchored ? after : undefined };
  }

  async #readPage({ topic, epoch, after, limit }: PageQuestion): Promise<HistoryAnswer> {
    const log = this.#bus.log(namespaceOf(topic));
    const passed = Math.max(this.#openTopic(topic)?.offset ?? 0, after);
    this.#metrics.logReads.inc({ kind: 'history' });
    if (this.#namespace(topic).keyed) {
      const { firstOffset } = await log.state();
      const items = this.#items(topic, await log.snapshot(topic, after));
      // Age and size remove the oldest of the whole log first: while it begins at or before the position, no key's latest item after it is gone.
      const completeFrom = firstOffset <= after + 1 ? after : undefined;
      return pageOf({ epoch, completeFrom, offset: Math.max(items.at(-1)?.offset ?? 0, passed), items }, { after, limit });
    }
    const { publications, anchored, more } = await log.read(topic, { after, limit, bytesMax: PAGE_BYTES_MAX });
    const last = publications.at(-1)?.offset ?? 0;
    return { epoch, offset: more ? last : Math.max(last, passed), complete: anchored, more, items: this.#items(topic, publications) };
  }

  /** Which life of its log the topic is in; a namespace that is followed is sure of it. */
  async #epoch(topic: Topic): Promise<string> {
    const feed = this.#registry.feedOf(topic);
    if (feed === undefined) return (await this.#bus.log(namespaceOf(topic)).state()).epoch;
    await feed.ready();
    return feed.epoch;
  }

  #once(question: string, read: () => Promise<HistoryAnswer>): Promise<HistoryAnswer> {
    const running = this.#pages.get(question);
    if (running !== undefined) return running;
    const answer = read().finally(() => this.#pages.delete(question));
    this.#pages.set(question, answer);
    return answer;
  }

  #openTopic(topic: Topic): HubTopic | undefined {
    const open = this.#registry.get(topic);
    return open?.isOpen ? open : undefined;
  }

  #items(topic: Topic, publications: readonly Publication[]): LinkItem[] {
    return toLinkItems(publications, this.#namespace(topic));
  }

  #namespace(topic: Topic): NamespaceOptions {
    return this.#config.namespaces[namespaceOf(topic)] as NamespaceOptions;
  }
}

/** For whoever asks for what this life of the log does not have. */
function nothingOf(epoch: string): RecoveryAnswer {
  return { epoch, completeFrom: undefined, offset: 0, items: [] };
}

/** The first of them that one page takes. */
function pageOf({ epoch, completeFrom, offset, items }: RecoveryAnswer, { after, limit }: { after: number; limit: number }): HistoryAnswer {
  const count = countWithin(items, limit);
  const more = count < items.length;
  const page = more ? items.slice(0, count) : items;
  return { epoch, offset: more ? (page.at(-1)?.offset ?? after) : offset, complete: completeFrom === after, more, items: page };
}

function countWithin(items: readonly LinkItem[], limit: number): number {
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    bytes += bytesOf(item);
    if (index >= limit || (index > 0 && bytes > PAGE_BYTES_MAX)) return index;
  }
  return items.length;
}

function newestWithin(items: readonly LinkItem[]): readonly LinkItem[] {
  const count = countWithin([...items].reverse(), PAGE_ITEMS_MAX);
  return count === items.length ? items : items.slice(-count);
}

function startingOver(topic: Topic): BusError {
  return new BusError('bus_unreachable', `${topic} is starting over`);
}
