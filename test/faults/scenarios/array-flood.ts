import { many } from '../attack/many.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const CONNECTIONS = 50;
/** One array takes 5 to 15 ms, and members' frames go out between two; the attacker takes as much of the machine as the node. */
const P99_MAX_MS = 1000;
const MEMORY_MAX_MB = 350;
/** What is left of the commands of connections that are closed goes in this time. */
const SETTLE_MS = 5000;
/** How often each connection sends its arrays, all at once. */
const TIMES = 9;

const TOPIC = 'scores.t0';

/** Each array is within the bounds; all together are far more than a worker can do. */
const PARTS = [
  { name: 'refused', arrays: [many(1000, (id) => ({ type: 'unsubscribe', id, topic: TOPIC }))] },
  {
    name: 'opened',
    arrays: [
      many(500, (id) => ({ type: 'subscribe', id, topic: `scores.new${id}`, snapshot: true })),
      many(500, (id) => ({ type: 'unsubscribe', id, topic: `scores.new${id}` })),
    ],
  },
  { name: 'asked', arrays: [many(600, (id) => ({ type: 'history', id, topic: TOPIC, last: 10_000 }))] },
  {
    name: 'since',
    arrays: [many(500, (id) => ({ type: 'subscribe', id, topic: `scores.t${id}`, since: { epoch: 'another', offset: 1 } }))],
  },
  { name: 'wrong', arrays: [many(1000, (id) => ({ type: 'subscribe', id, topic: '' }))] },
] as const;

export const arrayFlood: Scenario = {
  number: 25,
  title: `${CONNECTIONS} anonymous connections send arrays of a thousand commands, and come back as soon as they are closed`,
  pass: 'memory stays within the bounds; other clients are not affected; afterwards no bytes stay counted',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const nats = await run.nats();
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond);
    const { node, attacker } = attacked;
    for (const { name, arrays } of PARTS) {
      const attack = () =>
        attacker.attack({
          ports: [node.port],
          commands: Array.from({ length: TIMES }, () => arrays).flat(),
          reads: true,
          seconds: size.quick ? 2 : 8,
          atOnce: CONNECTIONS,
        });
      const { report } = await attacked.during(name, attack, { judged: true, p99MaxMs: P99_MAX_MS });
      run.figure(`${name}Connections`, report.connections);
      for (const part of ['Worker', 'Hub']) run.limit(`${name}${part}Mb`, run.outcome.figures[`${name}${part}Mb`] ?? 0, MEMORY_MAX_MB);
      const deadlineMs = monoMs() + SETTLE_MS;
      while (monoMs() < deadlineMs && (await node.metric('stentor_command_bytes_in_flight')) > 0) await seconds(0.1);
      if (!size.quick) await seconds(2);
      run.limit(`${name}BytesLeft`, await node.metric('stentor_command_bytes_in_flight'), 0);
    }
    await attacked.end();
  },
};
