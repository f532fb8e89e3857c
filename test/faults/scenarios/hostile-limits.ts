import { tokenOf } from '../../support/tokens.ts';
import { AttackedNode } from '../attacked-node.ts';
import { newcomerMs } from '../newcomer.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const SLOW_REQUESTS = 1000;
const TRICKLE_MS = 1000;
const SUBSCRIBES = 10_000;
const IN_ARRAY = 1000;
const CONNECTS_AT_ONCE = 100;
const OTHERS_IN_MAX_MS = 2000;
const CONNECTIONS_MAX = 5;
/** Attackers, node, NATS and producer share two cores. */
const P99_MAX_MS = 1000;

export const hostileLimits: Scenario = {
  number: 18,
  title: `${SLOW_REQUESTS} slow requests; messages in fragments without an end; ${SUBSCRIBES} subscribes on one socket; connects of one user as fast as they go`,
  pass: 'limits are hit; other clients are not affected',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const settings = { 'limits.connectionsPerUserMax': CONNECTIONS_MAX };
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond, { settings });
    const { node, flooder, attacker } = attacked;
    const { port } = node;
    const long = size.quick ? 2 : 8;

    await flooder.startHalfOpen({ port, count: SLOW_REQUESTS, addresses: ['127.0.0.2'], trickleMs: TRICKLE_MS });
    await seconds(1);
    await attacked.during('slowRequests', async () => {
      run.limitMs('slowRequestsOthersInMs', await newcomerMs(port, '127.0.0.9'), OTHERS_IN_MAX_MS);
      await seconds(long);
      return flooder.halfOpen();
    });
    await flooder.stopHalfOpen();

    const fragments = await attacked.during('fragments', () => flooder.frames({ port, frames: 'fragments', seconds: long, again: true }), {
      p99MaxMs: P99_MAX_MS,
    });
    run.figure('fragmentsConnections', fragments.report.connections);
    run.expect(fragments.report.connections > 1, 'a message without an end was never ended');

    const subscribe = (id: number) => ({ type: 'subscribe', id, topic: `scores.many${id}` });
    const arrays = Array.from({ length: SUBSCRIBES / IN_ARRAY }, (_, n) =>
      Array.from({ length: IN_ARRAY }, (__, i) => subscribe(n * IN_ARRAY + i)),
    );
    const subscribes = await attacked.during(
      'subscribes',
      () => attacker.attack({ ports: [port], commands: [{ type: 'connect', id: 0 }, ...arrays], reads: true, seconds: long, atOnce: 1 }),
      { p99MaxMs: P99_MAX_MS },
    );
    const { errors, closeCodes } = subscribes.report;
    run.say(JSON.stringify({ errors, closeCodes }));
    run.expect(
      (errors.rate_limited ?? 0) + (errors.too_many_topics ?? 0) + (closeCodes['4009'] ?? 0) > 0,
      'no limit of subscribes was hit',
    );

    const token = await tokenOf({ sub: 'mallory', expiresInMs: 3_600_000 });
    const connects = await attacked.during(
      'connects',
      () => attacker.attack({ ports: [port], token, commands: [], reads: true, seconds: long, atOnce: CONNECTS_AT_ONCE }),
      { p99MaxMs: P99_MAX_MS },
    );
    run.figure('connectsCount', connects.report.connections);
    run.expect(
      (connects.report.closeCodes['4008'] ?? 0) > 0,
      `no connection was replaced, but ${JSON.stringify(connects.report.closeCodes)}`,
    );
    await attacked.end();
  },
};
