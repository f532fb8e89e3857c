import { cpSync, rmSync } from 'node:fs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { freePort } from '../support/free-port.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { Inbox } from '../support/publications.ts';
import { connectedBecomes } from './connected.ts';
import { busConfig } from './nats-config.ts';

const TOPIC = parseTopic('scores.match');
const STREAM = 'stentor-scores';

const buses: Bus[] = [];
const servers: NatsServer[] = [];

afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.stop();
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(binary: string): Promise<NatsServer> {
  const server = await startNatsServer({ binary });
  servers.push(server);
  return server;
}

async function start(server: NatsServer, settings: Readonly<Record<string, unknown>> = {}): Promise<Bus> {
  const bus = await createBus(busConfig(server.url, settings));
  buses.push(bus);
  await bus.start();
  return bus;
}

function publish(bus: Bus, text: string) {
  return bus.publish({ topic: TOPIC, key: null, payload: Buffer.from(text), payloadKind: 'json' });
}

/** Publishes one after the other, like a feed, until told to stop; resolves with the offsets that were acknowledged. */
function feed(bus: Bus): { readonly end: () => Promise<number[]>; readonly count: () => number } {
  const offsets: number[] = [];
  let ended = false;
  const running = (async () => {
    for (let i = 0; !ended; i++) offsets.push((await publish(bus, String(i))).offset);
  })();
  return {
    count: () => offsets.length,
    async end() {
      ended = true;
      await running;
      return offsets;
    },
  };
}

for (const binary of natsServerBinaries()) {
  describe(`following a log on ${binary}`, () => {
    it('loses and duplicates nothing when the server is killed and restarts with its store, three times', async () => {
      const server = await serve(binary);
      const [node, producer] = [await start(server), await start(server)];
      const inbox = new Inbox();
      const follower = await node.log('scores').follow(0, inbox.receive, inbox.fail);
      const feeding = feed(producer);
      for (let round = 0; round < 3; round++) {
        const seen = inbox.publications.length;
        await inbox.until(() => inbox.publications.length >= seen + 300, 'the feed to flow');
        await server.kill9();
        await connectedBecomes(node, false);
        await server.restart();
        await connectedBecomes(node, true);
      }
      const seen = inbox.publications.length;
      await inbox.until(() => inbox.publications.length >= seen + 300, 'the feed to flow again');
      const acknowledged = await feeding.end();
      await inbox.until(() => follower.position >= acknowledged.at(-1)!, 'the last publication');
      expect(inbox.offsets).toEqual(acknowledged);
      expect(inbox.texts).toEqual(acknowledged.map((_, i) => String(i)));
      expect(inbox.errors).toEqual([]);
      expect(node.counters.followerRestarts).toBeGreaterThanOrEqual(3);
    });

    it('delivers what was published while it was cut off, even if nothing follows', async () => {
      const server = await serve(binary);
      const [node, producer] = [await start(server), await start(server)];
      const inbox = new Inbox();
      await node.log('scores').follow(0, inbox.receive, inbox.fail);
      await publish(producer, '1');
      await inbox.count(1);
      await server.kill9();
      await connectedBecomes(producer, false);
      const waiting = publish(producer, '2');
      await server.restart();
      expect((await waiting).duplicate).toBe(false);
      await inbox.count(2);
      expect(inbox.texts).toEqual(['1', '2']);
    });

    it('resumes when the server loses its consumer', async () => {
      const server = await serve(binary);
      const node = await start(server);
      const inbox = new Inbox();
      await node.log('scores').follow(0, inbox.receive, inbox.fail);
      await publish(node, '1');
      await inbox.count(1);
      const nc = await connect({ servers: server.url });
      const jsm = await jetstreamManager(nc);
      for await (const { name } of jsm.consumers.list(STREAM)) await jsm.consumers.delete(STREAM, name);
      await nc.close();
      await publish(node, '2');
      await inbox.count(2);
      expect(inbox.texts).toEqual(['1', '2']);
    });

    it('leaves no consumer behind on the server', async () => {
      const server = await serve(binary);
      const node = await start(server);
      const log = node.log('scores');
      for (let i = 0; i < 20; i++) await publish(node, String(i));
      const follower = await log.follow(
        0,
        () => undefined,
        () => undefined,
      );
      await log.read(TOPIC, { after: 0, limit: 100 });
      await log.readLast(TOPIC, 3);
      await follower.stop();
      // Answered after the deletes, which went out on the same connection before.
      await log.state();
      const nc = await connect({ servers: server.url });
      const jsm = await jetstreamManager(nc);
      await expect.poll(async () => (await jsm.streams.info(STREAM)).state.consumer_count).toBe(0);
      await nc.close();
    });

    it('breaks when the stream is deleted; the next one is another epoch', async () => {
      const server = await serve(binary);
      const node = await start(server);
      const inbox = new Inbox();
      await publish(node, '1');
      const { epoch } = await node.log('scores').state();
      await node.log('scores').follow(0, inbox.receive, inbox.fail);
      const nc = await connect({ servers: server.url });
      await (await jetstreamManager(nc)).streams.delete(STREAM);
      await nc.close();
      expect(await inbox.error()).toMatchObject({ code: 'log_gone' });
      const state = await node.log('scores').state();
      expect(state).toMatchObject({ lastOffset: 0 });
      expect(state.epoch).not.toBe(epoch);
      expect(await publish(node, 'new')).toMatchObject({ epoch: state.epoch, offset: 1 });
    });

    it('breaks when the store is rolled back to before its position', async () => {
      const server = await serve(binary);
      const node = await start(server);
      const inbox = new Inbox();
      await node.log('scores').follow(0, inbox.receive, inbox.fail);
      const copy = await rollBackLater(server, node, inbox);
      await copy.restore();
      await server.restart();
      expect(await inbox.error()).toMatchObject({ code: 'log_rolled_back' });
      expect(inbox.texts).toEqual(['kept', 'lost']);
    });

    it('breaks when the store is rolled back and has grown past its position since', async () => {
      const server = await serve(binary);
      const node = await start(server);
      const inbox = new Inbox();
      await node.log('scores').follow(0, inbox.receive, inbox.fail);
      const copy = await rollBackLater(server, node, inbox);
      await copy.restore();
      // On another port, so that it grows before the node sees it.
      const elsewhere = await startNatsServer({ binary, storeDir: server.storeDir, port: freePort() });
      const nc = await connect({ servers: elsewhere.url });
      for (let i = 0; i < 5; i++) await jetstream(nc).publish('feed.scores.match', 'other history');
      await nc.close();
      await elsewhere.stop();
      await server.restart();
      expect(await inbox.error()).toMatchObject({ code: 'log_rolled_back' });
      expect(inbox.texts).toEqual(['kept', 'lost']);
    });

    it('detects a server that hangs, and resumes when it continues', async () => {
      const server = await serve(binary);
      const [node, producer] = [await start(server), await start(server)];
      const inbox = new Inbox();
      await node.log('scores').follow(0, inbox.receive, inbox.fail);
      await publish(producer, '1');
      await inbox.count(1);
      server.signal('SIGSTOP');
      const waiting = publish(producer, '2');
      await connectedBecomes(node, false);
      server.signal('SIGCONT');
      expect((await waiting).offset).toBe(2);
      await inbox.count(2);
      expect(inbox.texts).toEqual(['1', '2']);
    });
  });
}

/** Publishes `kept`, copies the store, publishes `lost`, and kills the server; `restore` puts the copy back. */
async function rollBackLater(server: NatsServer, node: Bus, inbox: Inbox): Promise<{ restore: () => Promise<void> }> {
  await publish(node, 'kept');
  await inbox.count(1);
  await server.kill9();
  const copy = `${server.storeDir}-copy`;
  cpSync(server.storeDir, copy, { recursive: true });
  await server.restart();
  await connectedBecomes(node, true);
  await publish(node, 'lost');
  await inbox.count(2);
  await server.kill9();
  await connectedBecomes(node, false);
  return {
    async restore() {
      rmSync(server.storeDir, { recursive: true });
      cpSync(copy, server.storeDir, { recursive: true });
      rmSync(copy, { recursive: true });
    },
  };
}
