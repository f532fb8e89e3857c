import { afterAll, beforeAll, describe, it } from 'vitest';
import { CaseServer } from './case-server.ts';
import { CASES, runCase } from './cases/index.ts';
import { cutsWanted } from './cuts.ts';

describe('the SDK, in this Node', () => {
  let server: CaseServer;
  beforeAll(async () => {
    server = await CaseServer.start();
  });
  afterAll(() => server.stop());

  const cuts = cutsWanted();
  for (const one of CASES) {
    it(
      one.name,
      async () => {
        await runCase(one, { url: `ws://127.0.0.1:${server.proxy.port}/ws`, cuts, run: server.run.bind(server) });
      },
      120_000 + cuts * 500,
    );
  }
});
