import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { Inbox } from '../support/publications.ts';
import { until } from '../support/until.ts';
import { connectedBecomes } from './connected.ts';
import { busConfig } from './nats-config.ts';

const TOPIC = parseTopic('scores.match');
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

async function stop(bus: Bus): Promise<void> {
  buses.splice(buses.indexOf(bus), 1);
  await bus.stop();
}

const publish = (bus: Bus, text: string) => bus.publish({ topic: TOPIC, key: null, payload: Buffer.from(text), payloadKind: 'json' });
const epochOf = async (bus: Bus) => (await bus.log('scores').state()).epoch;

async function follow(bus: Bus): Promise<Inbox> {
  const inbox = new Inbox();
  await bus.log('scores').follow(0, inbox.receive, inbox.fail);
  return inbox;
}

/** Kills the server, and puts its store, or a part of it, back as it is now when `restore` is called. */
async function copyStore(server: NatsServer, part = ''): Promise<{ restore: () => void }> {
  await server.kill9();
  const [store, copy] = [join(server.storeDir, part), `${server.storeDir}-copy`];
  cpSync(store, copy, { recursive: true });
  await server.restart();
  return {
    restore() {
      rmSync(store, { recursive: true });
      cpSync(copy, store, { recursive: true });
      rmSync(copy, { recursive: true });
    },
  };
}

/** Publishes to the log while no node runs. */
async function publishBehindNodes(server: NatsServer, count: number): Promise<void> {
  const nc = await connect({ servers: server.url });
  for (let i = 0; i < count; i++) await jetstream(nc).publish('feed.scores.match', `${i}`);
  await nc.close();
}

for (const binary of natsServerBinaries()) {
  describe(`the epoch of a log on ${binary}`, () => {
    it('is the same on every node, whichever nodes start and stop, and in every acknowledgement', async () => {
      const server = await serve(binary);
      const [one, two] = await Promise.all([start(server), start(server)]);
      const epoch = await epochOf(one);
      expect(await epochOf(two)).toBe(epoch);
      expect((await publish(two, '1')).epoch).toBe(epoch);
      await stop(one);
      await stop(two);
      expect(await epochOf(await start(server))).toBe(epoch);
    });

    it('outlives the server while a node that followed vouches for the log, also to a node that starts meanwhile', async () => {
      const server = await serve(binary);
      const node = await start(server);
      const inbox = await follow(node);
      await publish(node, '1');
      await inbox.count(1);
      const epoch = await epochOf(node);
      for (let round = 0; round < 2; round++) {
        await server.kill9();
        await server.restart();
        const late = await start(server);
        expect(await epochOf(late)).toBe(epoch);
        expect(await epochOf(node)).toBe(epoch);
        await stop(late);
      }
      await publish(node, '2');
      await inbox.count(2);
      expect(inbox.errors).toEqual([]);
    });

    it('is a new one, the same on all nodes, if the store was restored from a copy while they run', async () => {
      const server = await serve(binary);
      const nodes = [await start(server), await start(server)];
      const inboxes = await Promise.all(nodes.map(follow));
      await publish(nodes[0]!, 'kept');
      const copy = await copyStore(server);
      await Promise.all(nodes.map((node) => connectedBecomes(node, true)));
      await publish(nodes[0]!, 'lost');
      await Promise.all(inboxes.map((inbox) => inbox.count(2)));
      const before = await epochOf(nodes[0]!);
      await server.kill9();
      copy.restore();
      await server.restart();
      for (const inbox of inboxes) expect(await inbox.error()).toMatchObject({ code: 'log_rolled_back' });
      const epochs = await Promise.all(nodes.map(epochOf));
      expect(new Set(epochs).size).toBe(1);
      expect(epochs[0]).not.toBe(before);
      expect((await publish(nodes[1]!, 'new')).epoch).toBe(epochs[0]);
    });

    it('is a new one if the store was restored from a copy while every node and the server were down, and has grown since', async () => {
      const server = await serve(binary);
      const node = await start(server);
      await publish(node, 'kept');
      const epoch = await epochOf(node);
      const copy = await copyStore(server);
      await connectedBecomes(node, true);
      await publish(node, 'lost');
      await stop(node);
      await server.kill9();
      copy.restore();
      await server.restart();
      await publishBehindNodes(server, 5);
      expect(await epochOf(await start(server))).not.toBe(epoch);
    });

    it('continues the previous one up to the last checkpoint after everything was down', async () => {
      const server = await serve(binary);
      let node = await start(server);
      let epochs: string[] = [];
      for (let round = 0; round < 3; round++) {
        const inbox = await follow(node);
        const { epoch, offset } = await publish(node, `${round}`);
        await inbox.count(offset);
        await stop(node);
        await server.kill9();
        await server.restart();
        // Nobody has seen what comes now, while no node runs.
        await publishBehindNodes(server, 1);
        node = await start(server);
        const state = await node.log('scores').state();
        epochs = [epoch, ...epochs];
        expect(epochs).not.toContain(state.epoch);
        expect(state.before?.map((life) => life.epoch)).toEqual(epochs);
        expect(state.before?.[0]).toEqual({ epoch, upTo: offset });
        expect(state.lastOffset).toBe(offset + 1);
      }
    });

    it('continues the previous one only up to the copy if the log was restored while everything was down', async () => {
      const server = await serve(binary);
      const settings = { 'tuning.nats.checkpointIntervalMs': 100 };
      let node = await start(server, settings);
      let inbox = await follow(node);
      const kept = await publish(node, 'kept');
      await inbox.count(1);
      await stop(node);
      const copy = await copyStore(server);
      node = await start(server, settings);
      inbox = await follow(node);
      const lost = await publish(node, 'lost');
      await inbox.count(2);
      await stop(node);
      await server.kill9();
      copy.restore();
      await server.restart();
      await publishBehindNodes(server, 5);
      const { epoch, before } = await (await start(server, settings)).log('scores').state();
      expect([kept.epoch, lost.epoch]).not.toContain(epoch);
      // The copy knows nothing of the second life, and has the first one's only publication.
      expect(before).toEqual([{ epoch: kept.epoch, upTo: kept.offset }]);
    });

    it('continues none if only the log was restored, and has grown since: the checkpoint shows it', async () => {
      const settings = { 'tuning.nats.checkpointIntervalMs': 100 };
      const server = await serve(binary);
      let node = await start(server, settings);
      await publish(node, 'kept');
      await stop(node);
      const copy = await copyStore(server, 'jetstream/$G/streams/stentor-scores');
      node = await start(server, settings);
      const inbox = await follow(node);
      await publish(node, 'lost');
      await inbox.count(2);
      const epoch = await epochOf(node);
      await stop(node);
      await server.kill9();
      copy.restore();
      await server.restart();
      await publishBehindNodes(server, 5);
      const state = await (await start(server, settings)).log('scores').state();
      expect(state.epoch).not.toBe(epoch);
      expect(state.before).toEqual([]);
    });

    it('continues none if nothing is kept in files', async () => {
      const settings = { 'nats.epochStorage': 'memory' };
      const server = await serve(binary);
      const node = await start(server, settings);
      const inbox = await follow(node);
      await publish(node, 'kept');
      await inbox.count(1);
      const epoch = await epochOf(node);
      await stop(node);
      await server.kill9();
      await server.restart();
      const state = await (await start(server, settings)).log('scores').state();
      expect(state).toMatchObject({ epoch: expect.not.stringMatching(epoch), before: [] });
    });

    it('is a new one if the bucket is deleted while no node follows the log', async () => {
      const server = await serve(binary);
      const node = await start(server);
      await publish(node, '1');
      const epoch = await epochOf(node);
      const nc = await connect({ servers: server.url });
      await (await jetstreamManager(nc)).streams.delete('KV_stentor-epochs');
      await nc.close();
      const renewed = await until('another epoch', async () => {
        const now = await epochOf(node);
        return now !== epoch && now;
      });
      expect((await publish(node, '2')).epoch).toBe(renewed);
    });

    it('needs its bucket where nodes may make none, and says so', async () => {
      const server = await serve(binary);
      await stop(await start(server));
      const settings = { 'nats.manageStreams': false };
      await stop(await start(server, settings));
      const nc = await connect({ servers: server.url });
      // The one in memory goes with NATS: nodes make it again.
      await (await jetstreamManager(nc)).streams.delete('KV_stentor-epochs');
      await stop(await start(server, settings));
      await (await jetstreamManager(nc)).streams.delete('KV_stentor-lives');
      await nc.close();
      await expect(start(server, settings)).rejects.toMatchObject({
        code: 'stream_missing',
        message: expect.stringContaining('stentor-lives'),
      });
    });
  });
}
