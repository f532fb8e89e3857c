import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { busConfig } from './nats-config.ts';

let server: NatsServer;
let nc: NatsConnection;
const open: Bus[] = [];

beforeAll(async () => {
  server = await startNatsServer();
  nc = await connect({ servers: server.url });
});
afterAll(async () => {
  await nc.close();
  await server.stop();
});
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.stop();
});

async function start(settings: Readonly<Record<string, unknown>>, url = server.url): Promise<Bus> {
  const bus = await createBus(busConfig(url, settings));
  open.push(bus);
  await bus.start();
  return bus;
}

function namespaces(name: string, history: object = {}): Record<string, unknown> {
  return { namespaces: { [name]: { history } } };
}

describe('the stream of a durable namespace', () => {
  it('is created so that the guarantees of a log are met', async () => {
    await start(namespaces('made', { maxCount: 7, maxAgeMs: 60_000, maxBytes: 100_000 }));
    const jsm = await jetstreamManager(nc);
    const { config } = await jsm.streams.info('stentor-made');
    expect(config).toMatchObject({
      subjects: ['feed.made', 'feed.made.>'],
      storage: 'file',
      retention: 'limits',
      discard: 'old',
      max_msgs_per_subject: 7,
      max_age: 60_000e6,
      max_bytes: 100_000,
      duplicate_window: 60_000e6,
      deny_delete: true,
      deny_purge: true,
      allow_direct: true,
      num_replicas: 1,
    });
    await expect(jsm.streams.purge('stentor-made')).rejects.toThrow();
    await expect(jsm.streams.deleteMessage('stentor-made', 1)).rejects.toThrow();
  });

  it('is used unchanged if it is right, by any number of nodes that start at the same time', async () => {
    await Promise.all([1, 2, 3, 4].map(() => start(namespaces('shared'))));
    const epochs = await Promise.all(open.map(async (bus) => (await bus.log('shared').state()).epoch));
    expect(new Set(epochs).size).toBe(1);
  });

  it('is refused if it differs, with stream, field, actual and expected value; it is not changed', async () => {
    await start(namespaces('differs', { maxCount: 5 }));
    const starting = start(namespaces('differs', { maxCount: 6 }));
    await expect(starting).rejects.toMatchObject({
      code: 'stream_mismatch',
      message: expect.stringMatching(/stentor-differs: max_msgs_per_subject is 5, expected 6/),
    });
    const jsm = await jetstreamManager(nc);
    expect((await jsm.streams.info('stentor-differs')).config.max_msgs_per_subject).toBe(5);
  });

  it('is refused if it was created for other subjects', async () => {
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'stentor-foreign', subjects: ['else.>'] });
    await expect(start(namespaces('foreign'))).rejects.toMatchObject({
      code: 'stream_mismatch',
      message: expect.stringMatching(/subjects is else\.>, expected feed\.foreign, feed\.foreign\.>/),
    });
  });

  it('must be there when nodes may not make it', async () => {
    const settings = { ...namespaces('absent'), 'nats.manageStreams': false };
    await expect(start(settings)).rejects.toMatchObject({
      code: 'stream_missing',
      message: expect.stringMatching(/stentor-absent .*`stentor setup`/),
    });
    await start(namespaces('absent'));
    await start(settings);
  });

  it('is refused where its subjects are another stream’s, which is named', async () => {
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'THEIRS', subjects: ['feed.taken.a.>', 'theirs.b'] });
    await expect(start(namespaces('taken'))).rejects.toMatchObject({
      code: 'stream_refused',
      message: expect.stringMatching(/stentor-taken: "THEIRS" has subjects of feed\.taken, feed\.taken\.> already/),
    });
  });

  it("is refused with NATS' reason if it cannot be created", async () => {
    await expect(start({ ...namespaces('tripled'), 'nats.streamReplicas': 3 })).rejects.toMatchObject({
      code: 'stream_refused',
      message: expect.stringMatching(/stentor-tripled: NATS refused to create it: .*replicas/),
    });
  });

  it('cannot be found in an unknown JetStream domain; the error names it', async () => {
    await expect(start({ ...namespaces('any'), 'nats.jetstreamDomain': 'nowhere' })).rejects.toMatchObject({
      code: 'jetstream_unavailable',
      message: expect.stringMatching(/\$JS\.nowhere\.API .*nats\.jetstreamDomain/),
    });
  });

  it('cannot be created on a server without JetStream; the error says so', async () => {
    const plain = await startNatsServer({ jetstream: false });
    try {
      await expect(start(namespaces('any'), plain.url)).rejects.toMatchObject({ code: 'jetstream_unavailable' });
      // Ephemeral namespaces need none.
      await start({ namespaces: { live: { durable: false } } }, plain.url);
    } finally {
      for (const bus of open.splice(0)) await bus.stop();
      await plain.stop();
    }
  });

  it('cannot be created without enough space; the error says what to change', async () => {
    const small = await startNatsServer({ jetstream: false, config: `jetstream { store_dir: "/tmp", max_file_store: 1MB }` });
    try {
      await expect(start(namespaces('big'), small.url)).rejects.toMatchObject({
        code: 'jetstream_unavailable',
        message: expect.stringContaining('history.maxBytes'),
      });
    } finally {
      await small.stop();
    }
  });
});

describe('the first connection', () => {
  it('fails in bounded time with the names of the servers, without a login, if none responds', async () => {
    const port = freePort();
    const starting = start({ 'tuning.nats.connectTimeoutMs': 600 }, `nats://ana:secret@127.0.0.1:${port}`);
    const error = await starting.then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: 'bus_unreachable', message: expect.stringContaining(`nats://127.0.0.1:${port}`) });
    expect(error?.message).not.toMatch(/ana|secret/);
  });

  it('waits for a server that is still starting', async () => {
    const port = freePort();
    const starting = start(namespaces('late'), `nats://127.0.0.1:${port}`);
    const late = await startNatsServer({ port });
    try {
      await starting;
    } finally {
      for (const bus of open.splice(0)) await bus.stop();
      await late.stop();
    }
  });

  it('logs in with user and password, or a token, from the config or the URL, and says when it is refused', async () => {
    const byUser = await startNatsServer({ config: 'authorization { user: ana, password: "s3cret@x" }' });
    const byToken = await startNatsServer({ config: 'authorization { token: "t0ken" }' });
    try {
      await start({ ...namespaces('a'), 'nats.user': 'ana', 'nats.password': 's3cret@x' }, byUser.url);
      await start(namespaces('a'), byUser.url.replace('//', '//ana:s3cret%40x@'));
      await start({ ...namespaces('a'), 'nats.token': 't0ken' }, byToken.url);
      await start(namespaces('a'), byToken.url.replace('//', '//t0ken@'));
      const refused = start({ ...namespaces('a'), 'nats.user': 'ana', 'nats.password': 'wrong' }, byUser.url);
      await expect(refused).rejects.toMatchObject({ code: 'bus_unreachable', message: expect.stringMatching(/refuses the login/) });
    } finally {
      for (const bus of open.splice(0)) await bus.stop();
      await byUser.stop();
      await byToken.stop();
    }
  });
});
