import { setTimeout as sleep } from 'node:timers/promises';
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import type { NamespaceOptions } from '../../config/schema.ts';
import { hasDocuments } from '../../protocol/feed-state.ts';
import type { Topic } from '../../protocol/topic.ts';
import type { Interest } from '../log.ts';
import { filterOf, imageSubjectOf } from '../subjects.ts';
import type { Consumption } from './consumption.ts';
import type { Anchor } from './epoch.ts';
import type { FollowerCore } from './follower-core.ts';
import { type InterestBounds, InterestJudge } from './interest-judge.ts';
import { endOf, isShortLived, rangeOf } from './log-bounds.ts';

const LOOK_EVERY_MS = 1000;
/** Between two changes of the filter: topics that are opened meanwhile share the next one. */
const RENEW_PAUSE_MS = 50;
/** After a filter could not be used: how long the whole namespace is followed, doubled each time up to the maximum. */
const BLOCK_MS = 10_000;
const BLOCK_MAX_MS = 600_000;
/** A filter that was in use for this long was right. */
const PROVEN_MS = 60_000;
/** Topics with fewer kept publications may lose some before the filter can show it. */
const COUNT_MIN = 1000;

export interface NarrowingOptions {
  readonly interest: Interest;
  readonly bounds: InterestBounds;
  readonly namespace: NamespaceOptions;
  readonly core: FollowerCore;
  readonly info: (jsm: JetStreamManager) => Promise<StreamInfo>;
  /** Something may be missing. */
  readonly onGap: (reason: string) => void;
  /** Ends the present consumer: the whole log is followed again from the position. */
  readonly restart: (reason: string) => void;
}

/**
 * Lets a follower ask only for the topics that are wanted. Following begins with the whole namespace, and returns to it whenever there is a doubt. A filter is
 * used while many publications of other topics arrive, and it is renewed, one change at a time, when topics are added. Of the limits of the log, the core
 * recognizes count and age by what is delivered. A look at the log each second recognizes size: the log may not begin after the position of the last look.
 */
export class Narrowing {
  readonly #options: NarrowingOptions;
  readonly #judge: InterestJudge;
  readonly #timer: NodeJS.Timeout;
  #running: { readonly consumption: Consumption; readonly jsm: JetStreamManager } | undefined;
  /** Undefined: the whole namespace is followed. */
  #covered: ReadonlySet<Topic> | undefined;
  /** What a filter that is being set up covers; undefined: none is. */
  #coming: ReadonlySet<Topic> | undefined;
  #changing = false;
  #renewing = false;
  #waiters: (() => void)[] = [];
  #blockedUntilMs = 0;
  #blockMs = BLOCK_MS;
  #since = 0;
  #end: Anchor | undefined;
  #seenPosition: number | undefined;

  constructor(options: NarrowingOptions) {
    this.#options = options;
    this.#judge = new InterestJudge(options.bounds);
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
  }

  get filteredTopics(): number | undefined {
    return this.#covered?.size;
  }

  /** Following has begun, or has begun again, with the whole namespace. */
  begin(consumption: Consumption, jsm: JetStreamManager): void {
    this.#running = { consumption, jsm };
    this.#judge.forget();
  }

  /** Following was interrupted. */
  end(): void {
    if (this.#covered !== undefined) this.#block();
    this.#running = undefined;
    this.#covered = undefined;
    this.#coming = undefined;
    this.#seenPosition = undefined;
    this.#end = undefined;
    for (const done of this.#waiters.splice(0)) done();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.end();
  }

  cover(topics: readonly Topic[]): Promise<void> {
    if (topics.every((topic) => this.#covers(topic))) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      void this.#renew();
    });
  }

  #covers(topic: Topic): boolean {
    return (this.#covered?.has(topic) ?? true) && (this.#coming?.has(topic) ?? true);
  }

  async #look(): Promise<void> {
    const running = this.#running;
    const { interest, core } = this.#options;
    if (running === undefined || this.#changing) return;
    if (this.#covered !== undefined) await this.#inspect(running.jsm);
    if (this.#running !== running) return;
    const nowMs = performance.now();
    const verdict = this.#judge.judge({
      nowMs,
      position: core.position,
      received: interest.received,
      topicCount: interest.topicCount,
      filteredTopics: this.filteredTopics,
    });
    if (verdict === 'whole') await this.#change(undefined);
    else if (verdict === 'renew') await this.#change(this.#wanted());
    else if (verdict === 'filter' && nowMs >= this.#blockedUntilMs && (await this.#mayFilter(running.jsm))) {
      await this.#change(this.#wanted());
    }
  }

  #wanted(): ReadonlySet<Topic> | undefined {
    const { interest, bounds } = this.#options;
    return interest.topicCount > bounds.filterTopicsMax ? undefined : new Set(interest.topics());
  }

  async #mayFilter(jsm: JetStreamManager): Promise<boolean> {
    const { namespace, info } = this.#options;
    if ((namespace.state !== 'keyed' || namespace.patch) && namespace.history.maxCount < COUNT_MIN) return false;
    const found = await info(jsm).catch(() => undefined);
    return found !== undefined && !isShortLived(found);
  }

  /** Topics were added that the filter does not have. */
  async #renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    while (!this.#changing && this.#waiters.length > 0) {
      if (!(await this.#change(this.#wanted())) && this.#waiters.length > 0) {
        // Nobody may wait for long: the whole log covers everything.
        this.#options.restart('other topics are wanted');
      } else await sleep(RENEW_PAUSE_MS);
    }
    this.#renewing = false;
  }

  /** All of a topic: also the images of its document, which may be of other nodes. */
  #subjectsOf(topic: Topic): string[] {
    const { namespace } = this.#options;
    const ofTopic = filterOf(topic, namespace);
    return hasDocuments(namespace) ? [ofTopic, imageSubjectOf(topic, namespace)] : [ofTopic];
  }

  /** @returns false if it continues as before */
  async #change(topics: ReadonlySet<Topic> | undefined): Promise<boolean> {
    const running = this.#running;
    if (running === undefined || this.#changing || topics?.size === 0) return false;
    this.#changing = true;
    this.#coming = topics;
    const waiting = this.#waiters.length;
    const filters = topics && [...topics].flatMap((topic) => this.#subjectsOf(topic));
    const isDone = await running.consumption.takeOver(running.jsm, filters);
    this.#changing = false;
    this.#coming = undefined;
    if (this.#running !== running) return false;
    if (isDone) {
      if (this.#covered === undefined) this.#since = performance.now();
      this.#covered = topics;
      this.#seenPosition = topics && this.#options.core.position;
    } else if (topics !== undefined && this.#covered === undefined) this.#block();
    // The whole namespace covers everybody. Whoever waited before the change is in it, unless it is not wanted any more.
    const covered = this.#covered === undefined ? this.#waiters.length : isDone ? waiting : 0;
    for (const done of this.#waiters.splice(0, covered)) done();
    // Whoever came meanwhile is in the next one.
    void this.#renew();
    return isDone;
  }

  /** Compares the log with the position of the last time, and keeps its end as an anchor for later. */
  async #inspect(jsm: JetStreamManager): Promise<void> {
    const { core, info, onGap } = this.#options;
    const seen = this.#seenPosition;
    const { position } = core;
    const found = await info(jsm).catch(() => undefined);
    if (found === undefined || this.#covered === undefined) return;
    if (this.#end !== undefined) core.setAnchor(this.#end);
    const { firstOffset } = rangeOf(found);
    if (seen !== undefined && firstOffset > seen + 1) return onGap(`it begins at ${firstOffset}, after ${seen + 1}`);
    this.#seenPosition = position;
    const { lastOffset, lastTimestampNs } = endOf(found);
    if (this.#end === undefined || core.position >= this.#end.offset) {
      this.#end = lastTimestampNs === undefined ? undefined : { offset: lastOffset, timestampNs: lastTimestampNs };
    }
  }

  #block(): void {
    const nowMs = performance.now();
    this.#blockMs = nowMs - this.#since >= PROVEN_MS ? BLOCK_MS : Math.min(this.#blockMs * 2, BLOCK_MAX_MS);
    this.#blockedUntilMs = nowMs + this.#blockMs;
  }
}
