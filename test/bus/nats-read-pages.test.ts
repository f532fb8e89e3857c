import { afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { busConfig } from './nats-config.ts';

const TOPIC = parseTopic('scores.match');
const PAGE_BYTES = 4096;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(binary: string): Promise<Bus> {
  const server = await startNatsServer({ binary });
  ends.push(() => server.stop());
  const bus = await createBus(busConfig(server.url, { 'tuning.nats.readPageBytesMax': PAGE_BYTES, 'tuning.nats.requestTimeoutMs': 1000 }));
  ends.push(() => bus.stop());
  await bus.start();
  return bus;
}

for (const binary of natsServerBinaries()) {
  describe(`reads of a log in pages of bytes, on ${binary}`, () => {
    it('return everything in order, whatever the sizes: also above a page, and exactly one', async () => {
      const bus = await start(binary);
      // Sizes around a page: with subject, headers and reply some of them fill it exactly.
      const sizes = [
        10,
        20_000,
        1000,
        1000,
        1000,
        1000,
        3000,
        9000,
        5,
        ...Array.from({ length: 160 }, (_, i) => PAGE_BYTES - 320 + 2 * i),
        70_000,
        1,
      ];
      for (const size of sizes) await bus.publish({ topic: TOPIC, key: null, payload: Buffer.alloc(size, 'x'), payloadKind: 'bytes' });
      const { publications } = await bus.log('scores').read(TOPIC, { after: 0, limit: 1000 });
      expect(publications.map(({ payload }) => payload.length)).toEqual(sizes);
      expect((await bus.log('scores').readLast(TOPIC, 5)).map(({ payload }) => payload.length)).toEqual(sizes.slice(-5));
    });
  });
}
