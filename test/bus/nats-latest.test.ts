import { execFileSync } from 'node:child_process';
import { connect as natsConnect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import type { Publication } from '../../src/bus/publication.ts';
import { parseTopic, type Topic } from '../../src/protocol/topic.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { textOf } from '../support/publications.ts';
import { rawPublish } from '../support/raw-publish.ts';
import { busConfig } from './nats-config.ts';

const COUNT = 600;
/** Subjects of one request. */
const TOGETHER_MAX = 256;
const topicOf = (number: number) => parseTopic(`scores.t${number}`);
const TOPICS = Array.from({ length: COUNT }, (_, i) => topicOf(i));

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A bus, and the requests for last messages that its server gets. */
async function start(binary: string, settings: Readonly<Record<string, unknown>> = {}) {
  const server = await startNatsServer({ binary });
  ends.push(() => server.stop());
  const bus = await createBus(busConfig(server.url, settings));
  ends.push(() => bus.stop());
  await bus.start();
  return { bus, server, requests: await requestsOf(server) };
}

async function requestsOf(server: NatsServer) {
  const watcher = await natsConnect({ servers: server.url });
  ends.push(() => watcher.close());
  const requests = { together: 0, alone: 0, flush: () => watcher.flush() };
  watcher.subscribe('$JS.API.DIRECT.GET.stentor-scores', { callback: () => void requests.together++ });
  watcher.subscribe('$JS.API.STREAM.MSG.GET.stentor-scores', { callback: () => void requests.alone++ });
  await watcher.flush();
  return requests;
}

const publish = (bus: Bus, topic: Topic, text: string) =>
  bus.publish({ topic, key: null, payload: Buffer.from(text), payloadKind: 'json' });
const lastOf = (bus: Bus, topics: readonly Topic[]) => bus.log('scores').latest(topics);
/** Whatever view of memory its payload is. */
const plain = (one: Publication | undefined) => one && { ...one, payload: textOf(one) };
const textsOf = (publications: readonly (Publication | undefined)[]) => publications.map((one) => one && textOf(one));

for (const binary of natsServerBinaries()) {
  const [, minor = 0] = (/v2\.(\d+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' })) ?? []).map(Number);
  const knows = minor >= 11;

  describe(`the last publications of many topics, on ${binary}`, () => {
    it('come with few requests, those of topics with headers, removals and without any too', async () => {
      const { bus, requests } = await start(binary);
      const some = TOPICS.filter((_, i) => i % 3 !== 2);
      for (const text of ['1', '2']) await Promise.all(some.map((topic) => publish(bus, topic, text)));
      await bus.publish({
        topic: topicOf(0),
        key: null,
        payload: Buffer.from('3'),
        payloadKind: 'json',
        origin: { user: 'ann', connectionId: 'c1' },
        tags: { league: 'one' },
        eventAtMs: 1234,
      });
      await bus.publish({ topic: topicOf(1), key: null, payload: Buffer.alloc(0), payloadKind: 'json' });
      await requests.flush();
      Object.assign(requests, { together: 0, alone: 0 });
      const last = await lastOf(bus, TOPICS);
      await requests.flush();
      const counted = [requests.together, requests.alone];
      expect(textsOf(last)).toEqual(TOPICS.map((_, i) => (i === 0 ? '3' : i === 1 ? '' : i % 3 === 2 ? undefined : '2')));
      expect(last[0]).toMatchObject({ origin: { user: 'ann', connectionId: 'c1' }, tags: { league: 'one' }, eventAtMs: 1234 });
      // The same as each by itself.
      for (const i of [0, 1, 2, 3]) expect((await lastOf(bus, [topicOf(i)])).map(plain)).toEqual([plain(last[i])]);
      if (knows) expect(counted).toEqual([Math.ceil(COUNT / TOGETHER_MAX), 0]);
    });

    it('come with few requests where no topic has any: new topics, and all topics of an empty log', async () => {
      const { bus, requests } = await start(binary);
      const none = TOPICS.map(() => undefined);
      expect(await lastOf(bus, TOPICS)).toEqual(none);
      await requests.flush();
      const ofEmptyLog = [requests.together, requests.alone];
      await publish(bus, parseTopic('scores.another'), '1');
      await requests.flush();
      Object.assign(requests, { together: 0, alone: 0 });
      expect(await lastOf(bus, TOPICS)).toEqual(none);
      await requests.flush();
      const groups = Math.ceil(COUNT / TOGETHER_MAX);
      if (knows)
        expect([ofEmptyLog, [requests.together, requests.alone]]).toEqual([
          [0, 0],
          [2 * groups, groups],
        ]);
    });

    it('come in several answers where they are large, and all of them', async () => {
      const { bus, requests } = await start(binary, { 'tuning.nats.readPageBytesMax': 4096 });
      const topics = TOPICS.slice(0, 40);
      for (const [i, topic] of topics.entries()) await publish(bus, topic, `${i}`.repeat(i % 7 === 0 ? 3000 : 300));
      await requests.flush();
      const last = await lastOf(bus, topics);
      await requests.flush();
      expect(last.map((one) => one?.payload.length)).toEqual(topics.map((_, i) => `${i}`.length * (i % 7 === 0 ? 3000 : 300)));
      if (knows) expect(requests.together).toBeGreaterThan(3);
    });

    it('are those that were stored before, while others are stored', async () => {
      const { bus } = await start(binary, { 'namespaces.scores.history.maxCount': 1 });
      const topics = TOPICS.slice(0, 30);
      const stored = new Map<Topic, number>();
      let isOver = false;
      const storing = (async () => {
        for (let n = 0; !isOver; n++) {
          await Promise.all(topics.map(async (topic) => stored.set(topic, (await publish(bus, topic, `${n}`)).offset)));
        }
      })();
      for (let round = 0; round < 100; round++) {
        const before = new Map(stored);
        const last = await lastOf(bus, topics);
        for (const [i, topic] of topics.entries()) expect(last[i]?.offset ?? 0).toBeGreaterThanOrEqual(before.get(topic) ?? 0);
      }
      isOver = true;
      await storing;
    });

    it('are read although the client cannot decode the headers of one', async () => {
      const { bus, server } = await start(binary);
      const topics = TOPICS.slice(0, 10);
      for (const topic of topics) await publish(bus, topic, '1');
      await rawPublish(server.port, 'feed.scores.t4', 'NATS/1.0\r\nbad name\x00: x\r\n\r\n', '"broken"');
      const last = await lastOf(bus, topics);
      expect(textsOf(last)).toEqual(topics.map((_, i) => (i === 4 ? '"broken"' : '1')));
      expect((await lastOf(bus, [topicOf(4)])).map(plain)).toEqual([plain(last[4])]);
    });
  });
}
