import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import { createBus } from '../../src/bus/create-bus.ts';
import { describeBus } from '../conformance/bus.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { busConfig } from './nats-config.ts';

// Every server at hand: what runs on the newest must run on the oldest that is supported.
for (const binary of natsServerBinaries()) {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer({ binary });
  });
  afterAll(() => server.stop());

  describeBus(`the NATS bus on ${binary}`, {
    async open(namespaces) {
      const bus = await createBus(busConfig(server.url, { namespaces, 'tuning.hub.userInterestMax': 3 }));
      await bus.start();
      return bus;
    },
    // JetStream has a clock of its own: this is the one promise that is tried by really waiting.
    passTime: (ms) => sleep(ms),
  });
}
