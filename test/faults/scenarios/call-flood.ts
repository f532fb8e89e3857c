import { tokenOf } from '../../support/tokens.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { Scenario } from '../scenario.ts';
import { withNats } from '../store.ts';
import { seconds } from '../time.ts';

const CONNECTIONS = 20;
const CALL_BYTES = 60_000;
/** Two seconds' worth of every connection's bytes comes at once, and is decoded: 20 MB. */
const P99_MAX_MS = 1000;
/** At their largest, with what garbage collection has not found yet. */
const MEMORY_MAX_MB = 350;

export const callFlood: Scenario = {
  number: 23,
  title: '20 connections call a method that no service answers, with 60 KB a call',
  pass: 'memory stays within the bounds; other clients are not affected',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const nats = await run.nats();
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond);
    const { node, flooder } = attacked;
    await withNats(nats.url, async (nc) => {
      // Somebody listens, so NATS says nothing.
      nc.subscribe('rpc.silent', { callback: () => undefined });
      await nc.flush();
      const token = await tokenOf({ sub: 'mallory', expiresInMs: 3_600_000 });
      // As fast as the bound on bytes lets through for good, and as fast as the one on messages.
      const attacks = [
        { name: 'text8', data: 'text', callsPerSecond: 8 },
        { name: 'text90', data: 'text', callsPerSecond: 90 },
        { name: 'lists90', data: 'lists', callsPerSecond: 90 },
      ] as const;
      for (const { name, data, callsPerSecond } of attacks) {
        const attack = () =>
          flooder.calls({
            port: node.port,
            token,
            method: 'silent',
            connections: CONNECTIONS,
            bytes: CALL_BYTES,
            data,
            timeoutMs: 60_000,
            callsPerSecond,
            seconds: size.quick ? 2 : 8,
          });
        const { report } = await attacked.during(name, attack, { judged: data === 'text', p99MaxMs: P99_MAX_MS });
        run.figure(`${name}Sent`, report.calls);
        run.figure(
          `${name}Closed`,
          Object.values(report.closeCodes).reduce((sum, count) => sum + count, 0),
        );
        for (const part of ['Worker', 'Hub']) run.limit(`${name}${part}Mb`, run.outcome.figures[`${name}${part}Mb`] ?? 0, MEMORY_MAX_MB);
        await seconds(1);
      }
    });
    await attacked.end();
  },
};
