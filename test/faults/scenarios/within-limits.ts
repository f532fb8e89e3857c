import { rawUpgrade } from '../../support/raw-http.ts';
import { type Attack, carryOut } from '../attack/attacks.ts';
import { many } from '../attack/many.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { FaultRun } from '../fault-run.ts';
import { newcomerMs } from '../newcomer.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

/** Attackers, node, NATS and producer share two cores. */
const P99_MAX_MS = 1000;
const NEWCOMER_MAX_MS = 2000;
const SETTLE_SECONDS = 2;
/** All attackers have one; the member and newcomers have others. */
const ADDRESS = '127.0.0.2';
const TOPIC = 'scores.t0';

const encoded = (value: object | string) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token that is well-formed, and whose signature is wrong. */
function falseToken(kid: string, padding: number): string {
  const claims = { sub: 'mallory', iat: Math.floor(Date.now() / 1000), exp: 4_000_000_000, pad: 'y'.repeat(padding) };
  return `${encoded({ alg: 'HS256', kid })}.${encoded(claims)}.${'A'.repeat(43)}`;
}

/** What clients may do, as much as each may, and far more of them than one address needs. */
function attacksOf(): Attack[] {
  return [
    // 45,000 subscribes to new topics, and as many unsubscribes, a second.
    {
      name: 'commands',
      connections: {
        commands: [many(90, (id) => ({ type: id % 2 ? 'unsubscribe' : 'subscribe', id, topic: `scores.x{number}-${id >> 1}` }))],
        everyMs: 100,
        atOnce: 100,
      },
    },
    {
      name: 'topics',
      connections: { commands: [many(900, (id) => ({ type: 'subscribe', id, topic: `scores.y{number}-${id}` }))], atOnce: 110 },
    },
    {
      name: 'rates',
      connections: {
        commands: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].flatMap((maxRateHz) =>
          [true, false].map((timestamps) => ({ type: 'subscribe', id: 1, topic: TOPIC, snapshot: true, maxRateHz, timestamps })),
        ),
        everyMs: 100,
        atOnce: 500,
      },
    },
    {
      name: 'keys',
      connections: {
        commands: [many(800, (id) => ({ type: 'subscribe', id, topic: 'ticks.t0', key: `K${id}-{number}`, snapshot: true }))],
        atOnce: 300,
      },
    },
    {
      name: 'filters',
      connections: {
        commands: [
          many(90, (id) =>
            id % 2
              ? { type: 'unsubscribe', id, topic: TOPIC }
              : { type: 'subscribe', id, topic: TOPIC, snapshot: true, filter: { a: [`v{number}-${id}`] } },
          ),
        ],
        everyMs: 100,
        atOnce: 100,
      },
    },
    { name: 'tokens', connections: { commands: [], token: falseToken('demo', 9000), atOnce: 200 } },
    {
      name: 'refresh',
      connections: { commands: [{ type: 'refresh', id: 1, token: falseToken('nobody', 4000) }], everyMs: 11, atOnce: 100 },
    },
    {
      name: 'unread',
      connections: {
        commands: [
          [
            { type: 'subscribe', id: 1, topic: TOPIC, snapshot: true },
            ...many(20, (id) => ({ type: 'history', id, topic: TOPIC, last: 10_000 })),
          ],
        ],
        reads: false,
        atOnce: 1000,
      },
    },
    { name: 'streams', requests: { text: streamRequest(), connections: 300 } },
    { name: 'connects', requests: { text: rawUpgrade(), connections: 5000 } },
  ];
}

/** A stream of events with as many topics as it may have. */
function streamRequest(): string {
  const topics = Array.from({ length: 49 }, (_, id) => `topic=scores.s${id}-{number}`).join('&');
  return `GET /sse?${topics}&topic=${TOPIC} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

export const withinLimits: Scenario = {
  number: 35,
  title:
    'the clients of one address do what each of them may, all at once: commands, new topics, rates, keys, filters, tokens, refreshes, unread answers, streams, connects',
  pass: 'other clients are not affected, and new ones get in',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 420_000,
  async execute(run, size) {
    const nats = await run.nats();
    const namespaces = { scores: { history: { maxCount: 1_000_000 }, public: true }, ticks: { public: true, state: 'keyed' } };
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond, { settings: { namespaces } });
    const attackers = { localAddress: ADDRESS, seconds: size.quick ? 2 : 8 };
    const only = process.env.ATTACKS?.split(',');
    for (const attack of attacksOf()) {
      const { name } = attack;
      if (only !== undefined && !only.includes(name)) continue;
      const carriedOut = () => newcomersMeanwhile(run, name, attacked.node.port, () => carryOut(attacked, attack, attackers));
      await attacked.during(name, carriedOut, { p99MaxMs: P99_MAX_MS });
      await seconds(SETTLE_SECONDS);
    }
    await attacked.end();
  },
};

/** Clients of another address that come during the attack, one after the other: how long the slowest of them took. */
async function newcomersMeanwhile<T>(run: FaultRun, name: string, port: number, attack: () => Promise<T>): Promise<T> {
  let isOver = false;
  let slowestMs = 0;
  const newcomers = (async () => {
    while (!isOver) {
      slowestMs = Math.max(slowestMs, await newcomerMs(port, '127.0.0.9'));
      await seconds(0.2);
    }
  })();
  const startMs = monoMs();
  const report = await attack().finally(() => {
    isOver = true;
  });
  await newcomers;
  run.say(`${name}: ${Math.round(monoMs() - startMs)} ms`);
  run.limitMs(`${name}NewcomerMs`, slowestMs, NEWCOMER_MAX_MS);
  return report;
}
