import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextCatchUpStep, type Start } from '../../src/fanout/catch-up.ts';
import type { FanoutItem } from '../../src/fanout/item.ts';
import { rangeOf } from '../../src/fanout/range.ts';
import { type Beginning, firstPartOf, fromStateOf, goingOn } from '../../src/fanout/recovery.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import type { Key } from '../../src/protocol/topic.ts';
import type { Position } from '../../src/recent/position.ts';
import { mergePatch, textOf } from '../support/document-fixtures.ts';
import { EPOCH, feed, type Joined, join, key, MSGPACK, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const NAMESPACE = namespaceOptions({ state: 'keyed', patch: true, slowConsumer: 'conflate' });
/** Its state forgets keys, and not only removed ones. */
const VALUES = namespaceOptions({ state: 'keyed', slowConsumer: 'conflate' });
const KEYS = ['a', 'b', 'c', 'd', 'e'].map(key);

type Change = 'whole' | 'patch' | 'removal';

/** A feed that remembers few removed keys, and the documents that its keys have. */
class Topic {
  readonly feed: TopicFeed;
  readonly documents = new Map<Key, unknown>();
  #n = 0;

  constructor(keysPerTopicMax: number, itemsPerTopicMax: number, namespace = NAMESPACE) {
    this.feed = feed({ namespace, limits: { keysPerTopicMax, itemsPerTopicMax } });
  }

  publish(name: Key, change: Change): void {
    const value = { [`m${this.#n++ % 3}`]: this.#n, pad: 'x'.repeat(30) };
    const offset = this.feed.ring.headOffset + 2;
    const more = { removal: { value: null, removed: true as const }, whole: { value }, patch: { value, patch: true as const } }[change];
    this.feed.push(source(offset, { key: name, ...more }));
    if (change === 'removal') this.documents.delete(name);
    else this.documents.set(name, change === 'whole' ? value : mergePatch(this.documents.get(name), value));
  }
}

/** By PROTOCOL.md's rules. */
class Documents {
  readonly documents = new Map<Key, unknown>();

  apply(items: readonly FanoutItem[]): void {
    for (const { key: name, removed, isPatch, first, data } of items) {
      if (name === null) continue;
      if (removed) this.documents.delete(name);
      else if (!isPatch) this.documents.set(name, unpackMsgpack(data));
      else {
        const before = this.documents.get(name);
        const base = first === undefined ? before : mergePatch(before, unpackMsgpack(first));
        this.documents.set(name, mergePatch(base, unpackMsgpack(data)));
      }
    }
  }
}

/** Too slow for its stream: what it is given is up to its socket. */
class SlowClient extends Documents {
  readonly #feed: TopicFeed;
  #position: Position = { sequence: 0, offset: 0 };
  #start: Start | undefined;
  restarts = 0;

  constructor({ feed: topicFeed }: Topic) {
    super();
    this.#feed = topicFeed;
    this.#begin(fromStateOf(topicFeed));
  }

  #begin(beginning: Beginning): void {
    if (!beginning.recovered) this.documents.clear();
    const { items, position } = firstPartOf(this.#feed, beginning, { until: this.#feed.head, bytesMax: 100 });
    this.apply(items);
    this.#position = position;
    this.#start = beginning.start && { ...beginning.start, until: this.#feed.head };
  }

  /** @returns false at the head */
  step(bytesMax: number): boolean {
    const step = nextCatchUpStep(this.#feed, { position: this.#position, policy: 'conflate', start: this.#start }, bytesMax);
    if (step.kind === 'caughtUp') return false;
    // `evicted`: the log does not have it either.
    if (step.kind === 'lost' || step.kind === 'evicted') {
      this.restarts++;
      this.#begin(fromStateOf(this.#feed));
    } else {
      if (step.kind === 'range') this.apply(step.range.items as readonly FanoutItem[]);
      else expect(step.kind).toBe('skipped');
      this.#position = (step as { position: Position }).position;
    }
    return true;
  }

  /** Its connection breaks, and it comes back with its position. */
  comeBack(): void {
    this.#begin(goingOn(this.#feed, { epoch: EPOCH, offset: this.#position.offset }, undefined));
  }
}

/** A member of a rate class. */
class Sampler extends Documents {
  readonly #feed: TopicFeed;
  #joined: Joined;
  restarts = 0;

  constructor({ feed: topicFeed }: Topic) {
    super();
    this.#feed = topicFeed;
    this.#joined = this.#join();
  }

  #join(): Joined {
    this.documents.clear();
    this.apply(firstPartOf(this.#feed, fromStateOf(this.#feed), { until: this.#feed.head, bytesMax: Number.POSITIVE_INFINITY }).items);
    return join(this.#feed, { ...MSGPACK, rateHz: 1 }, undefined, this.#feed.ring.next);
  }

  startOverIfOvertaken(): void {
    const { variant, shard, recipient } = this.#joined;
    if (!this.#feed.overtaken().includes(shard)) return;
    this.restarts++;
    this.#feed.leave(variant, shard, recipient);
    this.#joined = this.#join();
  }

  flush(): void {
    const { shard } = this.#joined;
    if (shard.cursor === this.#feed.ring.next) return;
    const { items, offset } = rangeOf(shard);
    this.apply(items);
    shard.advance(this.#feed.ring.next, offset, 1);
  }
}

const names = fc.constantFrom(...KEYS);
const changes = fc.constantFrom<Change>('whole', 'patch', 'patch', 'removal');
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('publish' as const), name: names, change: changes }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('step' as const), bytesMax: fc.integer({ min: 1, max: 200 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('comeBack', 'begin', 'flush') }) },
  ),
  { minLength: 40, maxLength: 100, size: 'max' },
);

type Steps = typeof steps extends fc.Arbitrary<infer T> ? T : never;

/** One member that is too slow and one of a rate class, until both have everything. */
function play(topic: Topic, all: Steps, changeOf: (change: Change) => Change = (change) => change) {
  for (const name of KEYS) topic.publish(name, 'whole');
  const sampler = new Sampler(topic);
  let client = new SlowClient(topic);
  for (const step of all) {
    if (step.do === 'publish' && 'name' in step) topic.publish(step.name, changeOf(step.change));
    else if (step.do === 'step' && 'bytesMax' in step) client.step(step.bytesMax);
    else if (step.do === 'comeBack') client.comeBack();
    else if (step.do === 'begin') client = new SlowClient(topic);
    sampler.startOverIfOvertaken();
    if (step.do === 'flush') sampler.flush();
  }
  for (let count = 0; client.step(200); count++) expect(count).toBeLessThan(1000);
  sampler.flush();
  return { client, sampler };
}

/** Without what the state has forgotten: nobody is told of that who begins with it. */
function knownOf(topic: Topic, { documents }: Documents): unknown {
  const inState = topic.feed.latest.between(-1, topic.feed.ring.next).map(({ key: name }) => name as Key);
  return Object.fromEntries([...inState, ...documents.keys()].map((name) => [name, topic.documents.get(name) ?? null]));
}

const ownOf = (client: Documents, known: unknown) =>
  Object.fromEntries(Object.keys(known as object).map((name) => [name, client.documents.get(key(name)) ?? null]));

const textOfAll = (documents: ReadonlyMap<Key, unknown>) => textOf(Object.fromEntries(documents));

describe('clients of a topic with a document for each key', () => {
  it('have in the end what there is, whatever they missed, also when removed keys have been forgotten meanwhile', () => {
    let restarts = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.constantFrom(2, 100), steps, (keysMax, itemsMax, all) => {
        const topic = new Topic(keysMax, itemsMax);
        const { client, sampler } = play(topic, all);
        restarts += client.restarts + sampler.restarts;
        expect(textOfAll(client.documents)).toBe(textOfAll(topic.documents));
        expect(textOfAll(sampler.documents)).toBe(textOfAll(topic.documents));
      }),
      { numRuns: 300 },
    );
    expect(restarts).toBeGreaterThan(10);
  });

  it('start over if a key that they were given with the state was removed, and that has been forgotten', () => {
    const topic = new Topic(1, 100);
    for (const name of KEYS) topic.publish(name, 'whole');
    const client = new SlowClient(topic);
    expect([...client.documents.keys()]).toEqual(['a', 'b']);
    topic.publish(key('a'), 'removal');
    topic.publish(key('b'), 'removal');
    while (client.step(1));
    expect(client.restarts).toBe(1);
    expect([...client.documents.keys()]).toEqual(['c', 'd', 'e']);
  });

  it('are closed where the policy says so, also if the ring no longer has what they missed', () => {
    const topic = new Topic(10, 2);
    for (const name of KEYS) topic.publish(name, 'whole');
    expect(nextCatchUpStep(topic.feed, { position: { sequence: 1, offset: 2 }, policy: 'close' }, 100)).toEqual({ kind: 'close' });
  });

  it('of a rate class start over if a removal that they were not told of has been forgotten, and only then', () => {
    const topic = new Topic(1, 100);
    for (const name of KEYS.slice(0, 3)) topic.publish(name, 'whole');
    const sampler = new Sampler(topic);
    topic.publish(key('a'), 'removal');
    sampler.startOverIfOvertaken();
    sampler.flush();
    topic.publish(key('b'), 'removal');
    sampler.startOverIfOvertaken();
    expect(sampler.restarts).toBe(0);
    topic.publish(key('c'), 'removal');
    topic.publish(key('b'), 'patch');
    sampler.startOverIfOvertaken();
    expect(sampler.restarts).toBe(1);
    sampler.flush();
    expect(textOfAll(sampler.documents)).toBe(textOfAll(topic.documents));
  });
});

describe('clients of a topic with keys', () => {
  it('have in the end no value that is not the latest of its key, whatever they missed, also when the state has forgotten keys meanwhile', () => {
    let restarts = { slow: 0, sampled: 0 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.constantFrom(2, 100), steps, (keysMax, itemsMax, all) => {
        const topic = new Topic(keysMax, itemsMax, VALUES);
        const { client, sampler } = play(topic, all, (change) => (change === 'patch' ? 'whole' : change));
        restarts = { slow: restarts.slow + client.restarts, sampled: restarts.sampled + sampler.restarts };
        for (const one of [client, sampler]) {
          const known = knownOf(topic, one);
          expect(ownOf(one, known)).toEqual(known);
        }
      }),
      { numRuns: 300 },
    );
    for (const count of Object.values(restarts)) expect(count).toBeGreaterThan(10);
  });
});
