import { afterAll, beforeAll, describe, it } from 'vitest';
import { CASES, runCase } from './cases/index.ts';
import { cutsWanted } from './cuts.ts';
import { Stage } from './stage.ts';

describe('the SDK, in this Node', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.start();
  });
  afterAll(() => stage.stop());

  const cuts = cutsWanted();
  for (const one of CASES) {
    it(
      one.name,
      async () => {
        await runCase(one, { url: `ws://127.0.0.1:${stage.proxy.port}/ws`, cuts, run: stage.run.bind(stage) });
      },
      60_000 + cuts * 500,
    );
  }
});
