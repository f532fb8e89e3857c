import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { endOf, rangeOf } from '../../src/bus/nats/log-bounds.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

const STREAM = 'emptied';
const COUNT = 3;

for (const binary of natsServerBinaries()) {
  describe(`the end of a log on ${binary}`, () => {
    it('keeps the time of its last publication when all of them have expired, and after the server was killed', async () => {
      const server = await startNatsServer({ binary });
      try {
        const ask = async <T>(question: (jsm: JetStreamManager) => Promise<T>): Promise<T> => {
          const nc = await connect({ servers: server.url });
          try {
            return await question(await jetstreamManager(nc));
          } finally {
            await nc.close();
          }
        };
        const look = () => ask((jsm) => jsm.streams.info(STREAM));
        const lastTimestampNs = await ask(async (jsm) => {
          await jsm.streams.add({ name: STREAM, subjects: ['emptied.>'], max_age: 1e9 });
          for (let i = 0; i < COUNT; i++) await jsm.jetstream().publish('emptied.a', `${i}`);
          return endOf(await jsm.streams.info(STREAM)).lastTimestampNs;
        });
        expect(lastTimestampNs).toBeGreaterThan(0);
        await until('all to expire', async () => (await look()).state.messages === 0);
        expect(endOf(await look())).toEqual({ lastOffset: COUNT, lastTimestampNs });
        await server.kill9();
        await server.restart();
        const info = await look();
        expect(rangeOf(info)).toEqual({ firstOffset: COUNT + 1, lastOffset: COUNT });
        expect(endOf(info)).toEqual({ lastOffset: COUNT, lastTimestampNs });
      } finally {
        await server.stop();
      }
    });

    it('has no time where nothing was ever published', async () => {
      const server = await startNatsServer({ binary });
      const nc = await connect({ servers: server.url });
      try {
        const info = await (await jetstreamManager(nc)).streams.add({ name: STREAM, subjects: ['emptied.>'] });
        expect(endOf(info)).toEqual({ lastOffset: 0, lastTimestampNs: undefined });
      } finally {
        await nc.close();
        await server.stop();
      }
    });
  });
}
