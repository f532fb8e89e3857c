import { connect, type NatsConnection } from '@nats-io/transport-node';
import { makeToken } from '../../../loadtest/swarm/token.ts';
import { SECRET } from '../../support/tokens.ts';
import { many } from '../attack/many.ts';
import { AttackProcess } from '../attack-process.ts';
import { AttackedCluster } from '../attacked-cluster.ts';
import type { FaultRun } from '../fault-run.ts';
import type { Scenario } from '../scenario.ts';

/** Attackers, kernel, three nodes and NATS share the two cores. */
const P99_MAX_MS = 1000;
const MEMORY_MAX_MB = 350;
/** Of one client: as many commands a second as it may send for good. */
const PACE = { everyMs: 100, commands: 100 };
/** Members of the room that the attackers ask for, with infos. */
const MEMBERS = 200;
const INFO_BYTES = 900;

const NAMESPACES = {
  scores: { durable: true, public: true, clientPublish: true, history: { maxCount: 1_000_000 } },
  user: { durable: false, clientPublish: true },
  room: { durable: false, public: true, clientPublish: true, presence: 'members' },
  hall: { durable: false, public: true, presence: 'count' },
  talk: {
    durable: false,
    public: true,
    clientPublish: true,
    sanitize: 'html',
    hooks: { subscribe: 'nats:hooks.all', publish: 'nats:hooks.all' },
  },
};

const SETTINGS = {
  namespaces: NAMESPACES,
  'limits.connectionsPerUserMax': 5,
  'limits.callsPerSecondMax': 10,
  'hooks.connect': 'nats:hooks.all',
  'hooks.disconnect': 'nats:hooks.all',
  'auth.revocations': 'accept',
  // So that what an attack leaves is gone soon.
  'tuning.presence.graceMs': 1000,
};

const token = makeToken('mallory', SECRET, { publish: ['>', 'user.mallory'], call: ['>'] });
const arrays = (count: number, command: (id: number) => object) =>
  Array.from({ length: count }, (_, i) => many(PACE.commands, (id) => command(i * PACE.commands + id)));
const tags = '<b onclick=x>'.repeat(60);

interface Attack {
  readonly name: string;
  readonly token?: string;
  readonly commands: readonly object[];
  /** Within the limits of one connection, which is never closed; else as fast as it can, and back as soon as it is closed. */
  readonly paced: boolean;
  readonly atOnce: number;
  readonly reads?: boolean;
}

/** Those of `npm test`. */
const QUICK: readonly string[] = ['topics', 'unreadAsks', 'hooks', 'everything'];

const ATTACKS: readonly Attack[] = [
  // Each topic is told to all nodes, twice.
  {
    name: 'topics',
    commands: [
      ...arrays(10, (n) => ({ type: 'subscribe', id: n, topic: `hall.t${n % 900}` })),
      ...arrays(10, (n) => ({ type: 'unsubscribe', id: n, topic: `hall.t${n % 900}` })),
    ],
    paced: true,
    atOnce: 1,
  },
  {
    name: 'members',
    commands: arrays(1, (n) => ({ type: n % 2 === 0 ? 'subscribe' : 'unsubscribe', id: n, topic: 'room.full' })),
    paced: true,
    atOnce: 1,
  },
  { name: 'asks', commands: arrays(1, (n) => ({ type: 'presence', id: n, topic: 'room.full' })), paced: true, atOnce: 1 },
  {
    name: 'unreadAsks',
    commands: arrays(10, (n) => ({ type: 'presence', id: n, topic: 'room.full' })),
    paced: false,
    atOnce: 20,
    reads: false,
  },
  {
    name: 'watches',
    commands: arrays(1, (n) => ({ type: n % 2 === 0 ? 'subscribe' : 'unsubscribe', id: n, topic: 'room.full', presence: true })),
    paced: true,
    atOnce: 5,
  },
  // The user's own topic: what the node wants of NATS changes with each.
  {
    name: 'interest',
    token,
    commands: arrays(1, (n) => ({ type: n % 2 === 0 ? 'subscribe' : 'unsubscribe', id: n, topic: 'user.mallory' })),
    paced: true,
    atOnce: 5,
  },
  {
    name: 'sends',
    token,
    commands: arrays(1, (n) => ({ type: 'publish', id: n, topic: 'user.mallory', data: n })),
    paced: true,
    atOnce: 5,
  },
  { name: 'hooks', token, commands: arrays(10, (n) => ({ type: 'subscribe', id: n, topic: `talk.t${n}` })), paced: true, atOnce: 1 },
  {
    name: 'sanitized',
    token,
    commands: many(1, (id) => many(50, (n) => ({ type: 'publish', id: id * 50 + n, topic: 'talk.mallory', data: tags }))),
    paced: true,
    atOnce: 5,
  },
  {
    name: 'calls',
    token,
    commands: arrays(1, (n) => ({ type: 'call', id: n, method: 'silent', timeoutMs: 5000 })),
    paced: true,
    atOnce: 5,
  },
  { name: 'refreshes', token, commands: arrays(1, (id) => ({ type: 'refresh', id, token })), paced: true, atOnce: 5 },
  // Each of these connections closes the oldest, on any node.
  { name: 'connects', token, commands: [{ type: 'subscribe', id: 1, topic: 'user.mallory' }], paced: false, atOnce: 50 },
  {
    name: 'everything',
    token,
    commands: [
      many(1000, (id) => ({ type: 'presence', id, topic: 'room.full' })),
      many(1000, (id) => ({ type: 'publish', id, topic: 'talk.mallory', data: '<b>x</b>' })),
      many(1000, (id) => ({ type: 'subscribe', id, topic: `room.t${id}`, presence: true })),
    ],
    paced: false,
    atOnce: 5,
  },
];

export const peopleFlood: Scenario = {
  number: 32,
  title: 'an anonymous client and one with a token flood three nodes: presence, users, calls, hooks, sanitizing, connects',
  pass: 'members and users on all nodes go on, memory stays within the bounds, and afterwards nothing stays counted',
  size: { clients: MEMBERS, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 300_000,
  async execute(run, size) {
    const nats = await run.nats();
    const services = await serve(run, nats.url);
    const cluster = await AttackedCluster.start(run, [nats.url], size.ratePerSecond, { settings: SETTINGS });
    await cluster.fill('room.full', size.clients, 'x'.repeat(INFO_BYTES));
    await cluster.calm();
    const attackers = [new AttackProcess(), new AttackProcess()] as const;
    run.onEnd(() => Promise.all(attackers.map((attacker) => attacker.stop())));
    const ports = cluster.nodes.map(({ port }) => port);
    for (const { name, paced, ...attack } of ATTACKS.filter(({ name }) => !size.quick || QUICK.includes(name))) {
      const settings = {
        ...attack,
        reads: attack.reads ?? true,
        ports,
        seconds: size.quick ? 1 : 5,
        ...(paced && { everyMs: PACE.everyMs }),
      };
      const report = await cluster.during(name, () => attackers[0].attack(settings), P99_MAX_MS);
      run.figure(`${name}Connections`, report.connections);
      for (const part of ['Worker', 'Hub']) run.limit(`${name}${part}Mb`, run.outcome.figures[`${name}${part}Mb`] ?? 0, MEMORY_MAX_MB);
      await cluster.settled(name);
    }
    await cluster.end();
    await services.close();
  },
};

/** Hooks that allow, and calls. Somebody listens to `silent`, and says nothing. */
async function serve(run: FaultRun, url: string): Promise<NatsConnection> {
  const services = await connect({ servers: url });
  run.onEnd(() => services.close());
  for (const subject of ['hooks.all', 'rpc.echo']) {
    services.subscribe(subject, {
      callback: (_, message) => void message.respond(subject === 'rpc.echo' ? message.data : '{"allow":true}'),
    });
  }
  services.subscribe('rpc.silent', { callback: () => undefined });
  await services.flush();
  return services;
}
