import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import type { Follower, Interest, Log } from '../../src/bus/log.ts';
import type { Publication } from '../../src/bus/publication.ts';
import { parseTopic, type Topic } from '../../src/protocol/topic.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';
import { connectedBecomes } from './connected.ts';
import { busConfig } from './nats-config.ts';

const TOPICS = Array.from({ length: 60 }, (_, i) => parseTopic(`scores.t${i}`));
/** Filters as soon as it may. */
const EAGER = { 'tuning.nats.filterAbovePerSecond': 0, 'tuning.nats.filterTopicsMax': 20 };

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** What a hub wants, and what it has had of each topic since it may rely on it. */
class Wanted implements Interest {
  readonly since = new Map<Topic, { after: number | undefined; readonly got: Publication[] }>();
  readonly errors: Error[] = [];
  received = 0;
  others = 0;

  get topicCount(): number {
    return this.since.size;
  }

  topics(): Iterable<Topic> {
    return this.since.keys();
  }

  readonly receive = (publication: Publication) => {
    const topic = this.since.get(publication.topic);
    if (topic === undefined) this.others++;
    else {
      this.received++;
      topic.got.push(publication);
    }
  };

  readonly fail = (error: Error) => void this.errors.push(error);

  /** As a hub opens a topic: everything after its last publication now must come. */
  async add(topic: Topic, log: Log, follower: Follower): Promise<void> {
    const entry = { after: undefined as number | undefined, got: [] };
    this.since.set(topic, entry);
    await follower.cover([topic]);
    entry.after = await log.lastOffset(topic);
  }

  remove(topic: Topic): void {
    this.since.delete(topic);
  }

  /** Compares what came with the log, up to an offset that has been passed. */
  async check(log: Log, upTo: number): Promise<number> {
    let compared = 0;
    for (const [topic, { after = 0, got }] of this.since) {
      const { publications, anchored } = await log.read(topic, { after, upTo, limit: 100_000 });
      const offsets = got.map(({ offset }) => offset).filter((offset) => offset > after && offset <= upTo);
      expect(offsets, topic).toEqual(publications.map(({ offset }) => offset));
      expect(anchored, topic).toBe(true);
      compared += offsets.length;
    }
    return compared;
  }
}

async function setUp(binary: string, settings: Readonly<Record<string, unknown>> = {}) {
  const server: NatsServer = await startNatsServer({ binary });
  stops.push(() => server.stop());
  const bus: Bus = await createBus(busConfig(server.url, { ...EAGER, ...settings }));
  stops.push(() => bus.stop());
  await bus.start();
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  stops.push(() => nc.close());
  const log = bus.log('scores');
  const wanted = new Wanted();
  const follower = await log.follow(0, wanted.receive, wanted.fail, wanted);
  return { server, bus, nc, log, wanted, follower };
}

/** Publishes to all topics in turns, until it is ended. */
function flood(nc: NatsConnection, perTurn = 10) {
  let running = true;
  let n = 0;
  stops.push(async () => {
    running = false;
    await done;
  });
  const done = (async () => {
    while (running) {
      for (let i = 0; i < perTurn; i++) nc.publish(`feed.${TOPICS[n++ % TOPICS.length]}`, `{"n":${n}}`);
      // While the server is away, nothing is published.
      await nc.flush().catch(() => nc.rtt().catch(() => pause(20)));
    }
  })();
  return async () => {
    running = false;
    await done;
    await nc.flush();
  };
}

for (const binary of natsServerBinaries()) {
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
  const filters = !/v2\.9\./.test(version);

  describe(`following a part of a namespace on ${version}`, () => {
    it('loses, repeats and reorders nothing while topics are added and removed and the server is killed', async () => {
      const { server, bus, nc, log, wanted, follower } = await setUp(binary);
      const endFlood = flood(nc);
      for (const topic of TOPICS.slice(0, 5)) await wanted.add(topic, log, follower);
      const settled = () => follower.live && (filters ? follower.filteredTopics !== undefined : wanted.others > 0);
      await until('it asks for its topics', settled);
      for (let round = 0; round < 40; round++) {
        const topic = TOPICS[Math.floor(Math.random() * TOPICS.length)] as Topic;
        if (wanted.since.has(topic)) {
          if (wanted.since.size > 2) wanted.remove(topic);
        } else if (wanted.since.size < 15) await wanted.add(topic, log, follower);
        if (round === 25) {
          await server.kill9();
          await connectedBecomes(bus, false);
          await server.restart();
          await connectedBecomes(bus, true);
        }
        await log.lastOffset(topic).catch(() => undefined);
      }
      // Several at the same time.
      const rest = TOPICS.filter((topic) => !wanted.since.has(topic)).slice(0, 4);
      await Promise.all(rest.map((topic) => wanted.add(topic, log, follower)));
      await endFlood();
      const { lastOffset } = await log.state();
      await until('the end of the log', () => follower.position >= lastOffset);
      expect(await wanted.check(log, lastOffset)).toBeGreaterThan(100);
      expect(wanted.errors).toEqual([]);
      if (!filters) expect(follower.filteredTopics).toBeUndefined();
    });

    it('passes what is not wanted, and follows the whole namespace above the bound', async () => {
      const { nc, log, wanted, follower } = await setUp(binary);
      await wanted.add(TOPICS[0] as Topic, log, follower);
      if (filters) await until('it asks for its topic', () => follower.filteredTopics === 1);
      for (let i = 0; i < 100; i++) nc.publish(`feed.${TOPICS[50]}`, '{}');
      await nc.flush();
      const { lastOffset } = await log.state();
      await until('it passes the others', () => follower.position >= lastOffset);
      expect([lastOffset, wanted.others]).toEqual([100, filters ? 0 : 100]);
      await Promise.all(TOPICS.slice(0, 21).map((topic) => wanted.add(topic, log, follower)));
      expect(follower.filteredTopics).toBeUndefined();
      for (let i = 0; i < 100; i++) nc.publish(`feed.${TOPICS[50]}`, '{}');
      await until('all of the namespace', () => wanted.others >= 100);
      for (const topic of TOPICS.slice(2, 21)) wanted.remove(topic);
      if (filters) await until('it asks for its topics again', () => follower.filteredTopics === 2);
      expect(wanted.errors).toEqual([]);
    });

    it('sees the images that other nodes store of its documents', async () => {
      const namespaces = { books: { public: true, state: 'document', slowConsumer: 'conflate' } };
      const { server, bus } = await setUp(binary, { namespaces: { scores: { public: true }, ...namespaces } });
      const [topic, other] = [parseTopic('books.a'), parseTopic('books.b')];
      const wanted = new Wanted();
      const log = bus.log('books');
      const follower = await log.follow(0, wanted.receive, wanted.fail, wanted);
      await wanted.add(topic, log, follower);
      if (filters) await until('it asks for its topic', () => follower.filteredTopics === 1);
      const seen: string[] = [];
      log.images?.onStored((name, { payload }) => void seen.push(`${name} ${payload}`));
      const elsewhere = await createBus(busConfig(server.url, { namespaces }));
      stops.push(() => elsewhere.stop());
      await elsewhere.start();
      const { images } = elsewhere.log('books');
      for (const name of [other, topic]) await images?.put(name, Buffer.from('image'), 0);
      await until('its image', () => seen.some((one) => one.startsWith(topic)));
      expect(seen).toEqual(filters ? [`${topic} image`] : [`${other} image`, `${topic} image`]);
      await follower.stop();
    });

    it('never loses in silence what the log has removed before it arrived', async () => {
      const { nc, log, wanted, follower } = await setUp(binary, { 'namespaces.scores.history.maxCount': 1000 });
      const topic = TOPICS[0] as Topic;
      await wanted.add(topic, log, follower);
      if (filters) await until('it asks for its topic', () => follower.filteredTopics === 1);
      const payload = JSON.stringify('x'.repeat(10_000));
      for (let i = 0; i < 4000; i++) nc.publish(`feed.${topic}`, payload);
      await nc.flush();
      const { lastOffset } = await log.state();
      await until('the end of the log, or a gap', () => follower.position >= lastOffset || wanted.errors.length > 0);
      const offsets = wanted.since.get(topic)?.got.map(({ offset }) => offset) ?? [];
      expect(offsets).toEqual(offsets.map((_, i) => i + 1));
      expect(wanted.errors.map((error) => (error as Error & { code: string }).code)).toEqual(offsets.length === 4000 ? [] : ['log_gap']);
    });
  });
}
