import { inflateRawSync } from 'node:zlib';
import { Compile } from 'typebox/compile';
import { expect } from 'vitest';
import { type FanoutSink, type Flush, framesFor } from '../../src/fanout/flush.ts';
import { type Group, Groups } from '../../src/fanout/group.ts';
import { firstPartOf, fromStateOf, goingOn } from '../../src/fanout/recovery.ts';
import { Scheduler, type SchedulerOptions } from '../../src/fanout/scheduler.ts';
import type { Recipient, Shard } from '../../src/fanout/shard.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { Variant, VariantOptions } from '../../src/fanout/variant.ts';
import { DEFLATED_EXT_TYPE } from '../../src/protocol/codec.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { toBuffer } from '../../src/protocol/kept-bytes.ts';
import { SERVER_MESSAGES, type ServerMessage } from '../../src/protocol/messages.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import type { Key } from '../../src/protocol/topic.ts';
import { type FeedSettings, feed, StubRecipient, source, steadyPace } from './fanout-fixtures.ts';
import { PartJoiner } from './part-joiner.ts';

type Batch = ServerMessage<'batch'>;
const batchSchema = Compile(SERVER_MESSAGES.batch);
const partSchema = Compile(SERVER_MESSAGES.part);

/** What was published, in the order of the ring's sequences within one life of the feed. */
interface Entry {
  readonly offset: number;
  readonly key: Key | null;
  readonly value: unknown;
  readonly by: string | undefined;
  readonly noEcho: boolean;
  readonly removed: boolean;
}

export interface ModelTopic {
  readonly feed: TopicFeed;
  readonly durable: boolean;
  log: Entry[];
  /** State from before the log, by key. */
  base: Map<Key | null, unknown>;
  baseOffset: number;
  life: number;
}

export interface ModelPublication {
  readonly key: Key | null;
  readonly gap: number;
  readonly pad: number;
  readonly by?: string;
  /** Not for the member that published it. */
  readonly noEcho?: boolean;
  readonly removed?: boolean;
}

/** `back`: from so many publications before the last. */
export type JoinMode = 'plain' | 'snapshot' | { readonly back: number };

/** One client: what it knows from the wire alone, and what the model says it must get next. */
export class ModelMember implements Recipient {
  readonly id: string;
  readonly owner = '';
  readonly topic: ModelTopic;
  readonly options: VariantOptions;
  readonly echo: boolean;
  readonly group: Group;
  /** Its group is that of another member's connection, which follows another topic too. */
  readonly isBeside: boolean;
  readonly variant: Variant;
  shard: Shard;
  #waiting: Flush[] = [];
  /** Its position, as the protocol has it: the last offset covered. */
  at: number;
  /** Index of the entry that it must get next. */
  next: number;
  /** Entries that it was told it will not get. */
  told = 0;
  everSkipped = false;
  readonly state = new Map<Key | null, unknown>();
  /** Entries from here on, and before too where it joined with a snapshot, must show in its state. */
  stateFrom: number;
  received = 0;
  readonly #joiner = new PartJoiner();
  /** Left-out entries that the first frame of a range announced and that lie in the frames after it. */
  conflatedLeft = 0;

  /** @param minCursor what it has already */
  constructor(
    id: string,
    topic: ModelTopic,
    how: {
      readonly options: VariantOptions;
      readonly echo: boolean;
      readonly group: Group;
      readonly isBeside: boolean;
      readonly minCursor: number;
    },
  ) {
    this.id = id;
    this.topic = topic;
    this.options = how.options;
    this.echo = how.echo;
    this.group = how.group;
    this.isBeside = how.isBeside;
    const { variant, shard } = topic.feed.join(how.options, this, how.minCursor);
    this.variant = variant;
    this.shard = shard;
    this.at = shard.offset;
    this.next = shard.cursor;
    this.stateFrom = shard.cursor;
  }

  /** Also what it publishes itself. */
  get getsAll(): boolean {
    return this.echo && !this.topic.log.some((entry) => this.#isOwn(entry));
  }

  /** Batches that it has put together from parts. */
  get joined(): number {
    return this.#joiner.joined;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(flush: Flush): boolean {
    this.#waiting.push(flush);
    return this.#waiting.length === 1;
  }

  /** What waits for it is sent. */
  receiveWaiting(frameBytesMax: number): void {
    const binary = this.options.encoding === 'msgpack';
    for (const { parts } of this.#waiting.splice(0)) {
      for (const part of parts) for (const { bytes } of framesFor(part, this)) this.receive(bytes, binary, frameBytesMax);
    }
  }

  get conflates(): boolean {
    return this.options.rateHz !== undefined;
  }

  /** Checks a frame against the model, and takes it as a client would. */
  receive(frame: Uint8Array, binary: boolean, frameBytesMax: number): void {
    const skipped = skippedOf(frame, binary);
    if (skipped > 0) {
      this.told += skipped;
      this.everSkipped = true;
      return;
    }
    const part = partOf(frame, binary);
    if (part !== undefined) {
      expect(this.options.parts).toBe(true);
      expect(frame.length).toBeLessThanOrEqual(frameBytesMax);
    }
    const batch = part === undefined ? decodeBatch(frame, binary) : this.#joiner.add(part);
    if (batch !== undefined) this.#receiveBatch(batch as Batch, frame.length, binary, frameBytesMax);
  }

  #receiveBatch(batch: Batch, frameBytes: number, binary: boolean, frameBytesMax: number): void {
    expect(binary).toBe(this.options.encoding === 'msgpack');
    expect(batch.topic).toBe(this.topic.feed.topic);
    expect(batch.epoch).toBe(this.topic.feed.epoch);
    expect(batch.items.length).toBeGreaterThan(0);
    if (batch.items.length > 1 || this.options.parts) expect(frameBytes).toBeLessThanOrEqual(frameBytesMax);
    if (this.topic.durable) this.#checkPrev(batch);
    if (this.conflates) this.#takeConflated(batch);
    else this.#takeAll(batch);
    const last = batch.items.at(-1)?.[0] ?? 0;
    if (this.topic.durable) expect(last).toBe(this.topic.log[this.next - 1]?.offset);
    this.at = last;
    this.received += batch.items.length;
  }

  /** Nothing is missing when everything has been flushed. */
  checkComplete(): void {
    const { log, durable, feed: topicFeed, base } = this.topic;
    const owed = log.slice(this.next).filter((entry) => durable || !this.#isOwn(entry));
    if (durable || this.getsAll) expect([owed, this.told]).toEqual([[], 0]);
    else if (this.conflates) expect(owed.filter((entry) => log.findLast(({ key }) => key === entry.key) === entry)).toEqual([]);
    else expect(owed.length).toBeLessThanOrEqual(this.told);
    if (durable || this.getsAll) expect(this.conflatedLeft).toBe(0);
    if (durable) expect(this.at).toBe(topicFeed.ring.headOffset);
    if (this.everSkipped || !this.getsAll) return;
    const expected = this.stateFrom < 0 ? new Map(base) : new Map<Key | null, unknown>();
    for (const { key, value, removed } of log.slice(Math.max(0, this.stateFrom))) {
      if (removed) expected.delete(key);
      else expected.set(key, value);
    }
    expect(new Map([...this.state].filter(([, value]) => value !== undefined))).toEqual(expected);
  }

  #checkPrev({ prev }: Batch): void {
    if (this.told === 0 || this.conflates) expect(prev).toBe(this.at);
    // What was told as skipped shows as a gap, and is exactly what lies in it.
    else {
      expect(prev).toBeGreaterThan(this.at);
      expect(prev).toBe(this.topic.log[this.next + this.told - 1]?.offset);
    }
  }

  #takeAll({ items, conflated }: Batch): void {
    expect(conflated).toBeUndefined();
    if (!this.topic.durable && !this.getsAll) return this.#takeOthers(items);
    this.next += this.told;
    this.told = 0;
    for (const item of items) {
      const entry = this.topic.log[this.next++];
      if (entry === undefined) throw new Error('more than was published');
      if (this.#isOwn(entry)) expect(item).toEqual([entry.offset]);
      else this.#take(item, entry);
    }
  }

  /** In ephemeral topics nothing marks the places of what it published itself: all that is missing must be that, or have been told. */
  #takeOthers(items: Batch['items']): void {
    const { log } = this.topic;
    for (const item of items) {
      const index = (item[2] as { n: number }).n;
      expect(index).toBeGreaterThanOrEqual(this.next);
      this.told -= log.slice(this.next, index).filter((entry) => !this.#isOwn(entry)).length;
      expect(this.told).toBeGreaterThanOrEqual(0);
      expect(this.#isOwn(log[index])).toBe(false);
      this.#take(item, log[index] as Entry);
      this.next = index + 1;
    }
  }

  #takeConflated({ items, conflated = 0 }: Batch): void {
    const { log, durable } = this.topic;
    const from = this.next;
    const upTo = this.#indexOf(items.at(-1)) + 1;
    for (const item of items) {
      const index = this.#indexOf(item);
      const entry = log[index];
      if (entry === undefined) throw new Error('more than was published');
      expect(index).toBeGreaterThanOrEqual(this.next);
      // The latest of its key in the frame, which the groups of a pass share.
      expect(log.slice(0, upTo).findLastIndex(({ key }) => key === entry.key)).toBe(index);
      if (this.#isOwn(entry)) expect(item).toEqual([entry.offset]);
      else this.#take(item, entry);
      this.next = index + 1;
    }
    // Ephemeral topics say nothing of what it published itself, so there the sums do not close.
    if (durable || this.getsAll) this.conflatedLeft += conflated - (this.next - from - items.length);
    expect(this.conflatedLeft).toBeGreaterThanOrEqual(0);
  }

  #indexOf(item: Batch['items'][number] | undefined): number {
    if (item === undefined) return -1;
    return item.length === 1 ? this.topic.log.findIndex(({ offset }) => offset === item[0]) : (item[2] as { n: number }).n;
  }

  #take(item: Batch['items'][number], { offset, key, value, by, removed }: Entry): void {
    const meta = {
      ...(by !== undefined && { origin: by }),
      ...(removed && { removed: true }),
      ...(this.options.timestamps && { publishedAtMs: source(offset).publishedAtMs }),
    };
    const expected: unknown[] = [offset, key, value];
    if (Object.keys(meta).length > 0) expected.push(meta);
    expect(item).toEqual(expected);
    this.state.set(key, removed ? undefined : value);
  }

  #isOwn(entry: Entry | undefined): boolean {
    return entry?.by === this.id && (!this.echo || entry.noEcho);
  }
}

/** Of the message that tells what the ring has lost; 0: it is another one. */
function skippedOf(frame: Uint8Array, binary: boolean): number {
  // Short, so never deflated.
  if (frame.length > 200 || decoded.has(frame) || (binary && frame[0] === DEFLATED_HEAD)) return 0;
  const message = (binary ? msgpackCodec : jsonCodec).decode(frame) as ServerMessage;
  return message.type === 'lagged' ? message.skipped : 0;
}

/** Undefined: it is another message. */
function partOf(frame: Uint8Array, binary: boolean): ServerMessage<'part'> | undefined {
  if (decoded.has(frame) || (binary && frame[0] === DEFLATED_HEAD)) return undefined;
  const message = (binary ? msgpackCodec : jsonCodec).decode(frame) as ServerMessage;
  if (message.type !== 'part') return undefined;
  if (!partSchema.Check(message)) throw new Error(`no part: ${JSON.stringify(partSchema.Errors(message))}`);
  return message;
}

const DEFLATED_HEAD = 0xc9;
const decoded = new WeakMap<Uint8Array, Batch>();

/** A frame as a client sees it, checked against its schema. */
export function decodeBatch(frame: Uint8Array, binary: boolean): Batch {
  const known = decoded.get(frame);
  if (known !== undefined) return known;
  const plain = binary && frame[0] === DEFLATED_HEAD && frame[5] === DEFLATED_EXT_TYPE ? inflateRawSync(frame.subarray(6)) : frame;
  const batch = (binary ? msgpackCodec : jsonCodec).decode(plain) as Batch;
  if (!batchSchema.Check(batch)) throw new Error(`no batch: ${JSON.stringify(batchSchema.Errors(batch))}`);
  decoded.set(frame, batch);
  return batch;
}

/** So few that visits of both kinds come. */
const NATIVE_MEMBERS_MIN = 2;

/** Topics and clients around a real scheduler, with a model of what every client must get. Native topics are sets of members. */
export class FanoutModel implements FanoutSink {
  readonly topics: ModelTopic[];
  readonly members: ModelMember[] = [];
  readonly scheduler: Scheduler;
  readonly #options: SchedulerOptions;
  readonly #listeners = new Map<Shard, Set<ModelMember>>();
  readonly #crowds: { readonly topic: ModelTopic; readonly recipients: readonly StubRecipient[] }[] = [];
  readonly #groups: Groups;
  /** Flushes of large items that members got frame by frame. */
  given = 0;
  nowMs = 1000;
  tick = 0;
  #nextMember = 0;

  constructor(options: SchedulerOptions, groupConnectionsMax: number, topics: readonly FeedSettings[]) {
    this.#options = options;
    this.#groups = new Groups(groupConnectionsMax);
    // Always: a few members are not worth a delay.
    this.scheduler = new Scheduler(options, this, steadyPace(options.pacingPeriodMaxMs));
    this.topics = topics.map((more, index) => {
      const made = feed({ ...more, topic: `scores.t${index}` });
      return { feed: made, durable: made.namespace.durable, log: [], base: new Map(), baseOffset: 0, life: 0 };
    });
  }

  publish(shard: Shard, frame: Uint8Array, binary: boolean): void {
    for (const member of this.#listenersOf(shard)) member.receive(frame, binary, this.#options.frameBytesMax);
  }

  /** As `SlowConsumers` does: they leave it, get the frames after what waits, and are back; here all at once. */
  give(shard: Shard, flush: Flush): void {
    this.given++;
    for (const recipient of [...shard.recipients]) {
      this.send(recipient);
      if (!(recipient instanceof ModelMember)) continue;
      recipient.add(flush);
      this.send(recipient);
    }
  }

  publishExcept(shard: Shard, frame: Uint8Array, binary: boolean, connectionId: string): void {
    for (const member of this.#listenersOf(shard))
      if (member.id !== connectionId) member.receive(frame, binary, this.#options.frameBytesMax);
  }

  isMember(shard: Shard, connectionId: string): boolean {
    return this.members.some((member) => member.id === connectionId && member.shard === shard);
  }

  sendTo(connectionId: string, frame: Uint8Array, binary: boolean): void {
    this.members.find(({ id }) => id === connectionId)?.receive(frame, binary, this.#options.frameBytesMax);
  }

  send(recipient: Recipient): void {
    if (recipient instanceof ModelMember) recipient.receiveWaiting(this.#options.frameBytesMax);
    else (recipient as StubRecipient).take();
  }

  #listenersOf(shard: Shard): Iterable<ModelMember> {
    if (shard.nativeTopic === undefined) throw new Error('a native publish to a shard without a native topic');
    return this.#listeners.get(shard) ?? [];
  }

  flushed(): void {}

  done(): void {}

  skipped({ feed: { topic }, options: { encoding } }: Variant, skipped: number): Uint8Array {
    return (encoding === 'msgpack' ? msgpackCodec : jsonCodec).encode({ type: 'lagged', topic, policy: 'skip', skipped });
  }

  /** Of a topic without keys the key does not count, and it cannot be removed. */
  feedPublication(topic: ModelTopic, publication: ModelPublication): void {
    const { feed: topicFeed, log, durable } = topic;
    const { gap, pad, by, noEcho = false } = publication;
    const keyed = topicFeed.namespace.state === 'keyed';
    const key = keyed ? publication.key : null;
    const removed = keyed && publication.removed === true;
    const head = topicFeed.ring.headOffset;
    const value = { n: log.length, pad: 'x'.repeat(pad) };
    const entry: Entry = { offset: durable ? head + gap : 0, key, value, by, noEcho, removed };
    log.push(entry);
    const origin = by === undefined ? {} : { user: by, connectionId: by, ...(noEcho && { noEcho: true as const }) };
    topicFeed.push(source(entry.offset, { key, value, ...origin, ...(removed && { removed: true as const }) }));
    this.scheduler.wake(topicFeed, this.nowMs);
  }

  /** @param beside a member whose connection this is too, if it can be: of the same form, and not in this topic already */
  join(topic: ModelTopic, asked: VariantOptions, mode: JoinMode, echo: boolean, beside?: ModelMember): void {
    const { feed: topicFeed, log } = topic;
    const { parts, ...others } = asked;
    const options = parts && topic.durable ? asked : others;
    const sinceOffset = typeof mode === 'object' ? (log[log.length - 1 - mode.back]?.offset ?? topic.baseOffset) : undefined;
    const minCursor = sinceOffset === undefined ? 0 : (topicFeed.ring.sequenceAfter(sinceOffset) ?? 0);
    const { encoding, deflate } = options;
    const isBeside =
      beside !== undefined && beside.topic !== topic && beside.options.encoding === encoding && beside.options.deflate === deflate;
    const group = isBeside ? beside.group : this.#groups.enter(options);
    const member = new ModelMember(`m${this.#nextMember++}`, topic, { options, echo, group, isBeside, minCursor });
    this.members.push(member);
    if (mode === 'snapshot') this.#takeSnapshot(member);
    if (sinceOffset !== undefined && topic.durable) this.#takeMissed(member, sinceOffset);
    if (!echo) topicFeed.setWithoutEcho(member.id, member.shard);
    this.#listen(member);
  }

  leave(member: ModelMember): void {
    member.receiveWaiting(this.#options.frameBytesMax);
    this.members.splice(this.members.indexOf(member), 1);
    this.#unlisten(member);
    member.topic.feed.endWithoutEcho(member.id);
    member.topic.feed.leave(member.variant, member.shard, member);
    if (!member.isBeside) this.#groups.leave(member.group);
  }

  /** Adds members that the model does not check, so that one turn does not reach all shards. */
  crowd(topic: ModelTopic, options: VariantOptions, count: number): void {
    const recipients = Array.from({ length: count }, () => new StubRecipient(this.#groups.enter(options)));
    for (const recipient of recipients) topic.feed.join(options, recipient);
    this.#crowds.push({ topic, recipients });
  }

  endCrowds(): void {
    for (const { topic, recipients } of this.#crowds.splice(0)) {
      const left = new Set<Recipient>(recipients);
      for (const variant of topic.feed.variants) {
        for (const shard of variant.shards) {
          for (const recipient of shard.recipients) if (left.has(recipient)) topic.feed.leave(variant, shard, recipient);
        }
      }
      for (const { group } of recipients) this.#groups.leave(group);
    }
  }

  merge(): void {
    for (const { feed: topicFeed } of this.topics) {
      for (const variant of topicFeed.variants) {
        for (let pair = variant.mergeable(); pair !== undefined; pair = variant.mergeable()) {
          for (const recipient of pair.from.recipients) {
            if (recipient instanceof ModelMember) this.#unlisten(recipient);
            variant.move(recipient, pair.from, pair.into);
            if (recipient instanceof ModelMember) this.#moved(recipient, pair.into);
          }
        }
      }
    }
  }

  /** As {@link Memberships} does: what waits is sent first. */
  #divide(variant: Variant): void {
    for (const { recipients } of variant.shards) for (const recipient of recipients) this.send(recipient);
    variant.divide();
    for (const shard of variant.shards) {
      for (const recipient of shard.recipients) {
        if (!(recipient instanceof ModelMember)) continue;
        this.#unlisten(recipient);
        this.#moved(recipient, shard);
      }
    }
  }

  #moved(member: ModelMember, shard: Shard): void {
    member.shard = shard;
    if (!member.echo) member.topic.feed.setWithoutEcho(member.id, shard);
    this.#listen(member);
  }

  /** Replaces the log: all members continue from the state of a new one. */
  reset(topic: ModelTopic, chosen: readonly (Key | null)[]): void {
    const keys = topic.feed.namespace.state === 'keyed' ? chosen : chosen.slice(0, 1).map(() => null);
    const { feed: topicFeed } = topic;
    for (const member of this.members) if (member.topic === topic) member.receiveWaiting(this.#options.frameBytesMax);
    topic.life++;
    const offset = topic.durable ? 1000 * topic.life : 0;
    // Nothing of an ephemeral topic is from before its ring.
    topic.base = new Map(topic.durable ? keys.map((key, index) => [key, { n: -1 - index, life: topic.life }]) : []);
    const items = [...topic.base].map(([key, value], index) => source(offset - keys.length + index + 1, { key, value }));
    topicFeed.reset({ epoch: topic.durable ? `e${topic.life + 1}` : '', offset, completeFrom: offset, items });
    topic.log = [];
    topic.baseOffset = offset;
    for (const member of this.members) if (member.topic === topic) this.#resync(member);
  }

  turn(advanceMs: number): boolean {
    this.nowMs += advanceMs;
    // As if all the time since the last turn had gone into its sends: passes are cut.
    this.scheduler.turnEnded(this.nowMs);
    return this.scheduler.turn(this.nowMs, this.tick++).more;
  }

  /** Until nothing waits any more. */
  settle(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      const { more, nextDueAtMs } = this.scheduler.turn(this.nowMs, this.tick++);
      if (!more && nextDueAtMs === undefined) return;
      if (!more) this.nowMs = Math.max(this.nowMs, nextDueAtMs as number);
    }
    throw new Error('the scheduler does not come to rest');
  }

  /** Counts, native topics and variants agree with who is there. */
  checkPlaces(): void {
    let shards = 0;
    const seen = new Set<Shard>();
    const natives: string[] = [];
    for (const { feed: topicFeed } of this.topics) {
      let total = 0;
      for (const variant of topicFeed.variants) {
        expect(variant.shards.length).toBeGreaterThan(0);
        for (const shard of variant.shards) {
          // No `expect` for each of hundreds of shards: it costs more than all else here.
          if (shard.members === 0 || new Set(shard.recipients).size !== shard.members) throw new Error('an empty shard, or a member twice');
          if ((shard.group === undefined) === variant.isDivided) throw new Error('a shard of the wrong kind');
          total += shard.members;
          shards++;
          seen.add(shard);
          if (shard.nativeTopic !== undefined) natives.push(shard.nativeTopic);
          for (const { group } of shard.recipients) {
            if (shard.group !== undefined && group !== shard.group) throw new Error('a member in the shard of another group');
            const { encoding, deflate } = group!.form;
            if (encoding !== variant.options.encoding || deflate !== variant.options.deflate) throw new Error('a member of another form');
          }
        }
      }
      expect(topicFeed.members).toBe(total);
    }
    expect(seen.size).toBe(shards);
    expect(new Set(natives).size).toBe(natives.length);
    for (const member of this.members) {
      if (!seen.has(member.shard) || !member.shard.recipients.includes(member)) throw new Error('a member that is not in its shard');
      if (!this.#listeners.get(member.shard)?.has(member)) throw new Error('a member that does not listen');
    }
  }

  #takeSnapshot(member: ModelMember): void {
    const { feed: topicFeed, log, base } = member.topic;
    const { cursor: sequence, offset } = member.shard;
    for (const item of firstPartOf(topicFeed, fromStateOf(topicFeed), { until: { sequence, offset }, bytesMax: Number.POSITIVE_INFINITY })
      .items) {
      const value = dataOf(toBuffer(item.encoded('msgpack')));
      const latest = log.findLast(({ key }) => key === item.key);
      expect(value).toEqual(latest?.value ?? base.get(item.key));
      expect(item.offset).toBeLessThanOrEqual(member.shard.offset);
      member.state.set(item.key, value);
    }
    member.stateFrom = -1;
  }

  #takeMissed(member: ModelMember, sinceOffset: number): void {
    const { feed: topicFeed, log } = member.topic;
    const beginning = goingOn(topicFeed, { epoch: topicFeed.epoch, offset: sinceOffset }, undefined);
    if (!beginning.recovered || beginning.start?.by === 'state') {
      // Only when the ring has lost what came next.
      expect(sinceOffset).toBeLessThan(Math.max(topicFeed.ring.baseOffset, member.shard.offset));
      expect(topicFeed.ring.first).toBeGreaterThan(0);
      return;
    }
    const { cursor: sequence, offset: upTo } = member.shard;
    const { items: missed } = firstPartOf(topicFeed, beginning, { until: { sequence, offset: upTo }, bytesMax: Number.POSITIVE_INFINITY });
    const expected = log.filter(({ offset }) => offset > sinceOffset && offset <= member.shard.offset);
    expect(missed.map(({ offset }) => offset)).toEqual(expected.map(({ offset }) => offset));
    for (const { key, value, removed } of expected) member.state.set(key, removed ? undefined : value);
    member.stateFrom = log.findIndex(({ offset }) => offset > sinceOffset);
    if (member.stateFrom === -1) member.stateFrom = log.length;
  }

  #resync(member: ModelMember): void {
    member.at = member.topic.baseOffset;
    member.next = 0;
    member.told = 0;
    member.stateFrom = -1;
    member.state.clear();
    for (const [key, value] of member.topic.base) member.state.set(key, value);
  }

  #listen(member: ModelMember): void {
    const { shard } = member;
    const members = this.#listeners.get(shard) ?? new Set();
    this.#listeners.set(shard, members);
    members.add(member);
    if (shard.group !== undefined) {
      if (shard.nativeTopic === undefined && members.size >= NATIVE_MEMBERS_MIN) shard.nativeTopic = shard.variant.newNativeTopic();
    } else if (shard.members >= NATIVE_MEMBERS_MIN * this.#groups.countLike(member.group)) this.#divide(shard.variant);
  }

  #unlisten(member: ModelMember): void {
    const members = this.#listeners.get(member.shard);
    members?.delete(member);
    if (members?.size === 0) this.#listeners.delete(member.shard);
  }
}

function dataOf(encodedItem: Uint8Array): unknown {
  return (msgpackCodec.decode(encodedItem) as unknown[])[2];
}
