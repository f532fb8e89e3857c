import { rawUpgrade } from '../../support/raw-http.ts';
import { tokenOf } from '../../support/tokens.ts';
import type { AttackSettings } from '../attack/settings.ts';
import { AttackProcess } from '../attack-process.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { FaultRun, NodeSettings } from '../fault-run.ts';
import type { RequestsSettings } from '../flood/settings.ts';
import type { Scenario, Size } from '../scenario.ts';
import { seconds } from '../time.ts';

const CONNECTIONS = 50;
const PLACES = 40;
const TOPICS_MAX = 100;
const SILENT = 500;
/** Shorter than by default, so that they come again more often. */
const SILENT_MAX_MS = 1000;
/** 20 connections with 4 replays each are not too many for a worker; 50 are. */
const REPLAYERS = 20;
/** Attackers, node, NATS and producer share two cores. */
const P99_MAX_MS = 1000;
const SETTLE_SECONDS = 1;
const HEADER_BYTES = 30_000;
const LARGE_BYTES = 100_000;
const BODY_BYTES = 60_000;
/** More than `tuning.http.requestsInFlightMax`. */
const HALVES = 320;

const many = (count: number, command: (id: number) => object) => Array.from({ length: count }, (_, id) => command(id));
const CONNECT = { type: 'connect', id: 0 };

type Attack = { readonly name: string; readonly setting: string; readonly answer: string } & (
  | { readonly connections: Pick<AttackSettings, 'commands' | 'atOnce'> & Partial<AttackSettings> }
  | { readonly requests: Pick<RequestsSettings, 'text' | 'connections'> }
);

/** What exceeds one limit each, as often as the node lets it. `answer`: a close code, an error or a status that it must get. */
function attacksOf(token: string): Attack[] {
  const large = { type: 'ping', pad: 'x'.repeat(LARGE_BYTES) };
  const half = `POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
  const publish = (id: number) => ({ type: 'publish', id, topic: 'scores.flooded', data: id });
  const replay = (id: number) => ({ type: 'history', id, topic: 'scores.t0', fromMs: 1, limit: 10_000, speed: 10 });
  const call = (id: number) => ({ type: 'call', id, method: 'nobody', timeoutMs: 1000 });
  return [
    {
      name: 'headers',
      setting: 'headerBytesMax',
      answer: '431',
      requests: { text: rawUpgrade([`X-Long: ${'x'.repeat(HEADER_BYTES)}`]), connections: CONNECTIONS },
    },
    { name: 'large', setting: 'messageBytesMax', answer: '4005', connections: { commands: [CONNECT, large], atOnce: CONNECTIONS } },
    {
      name: 'messages',
      setting: 'messagesPerSecondMax',
      answer: 'rate_limited',
      connections: {
        commands: [CONNECT, ...many(250, (id) => ({ type: 'unsubscribe', id, topic: 'scores.t0' }))],
        atOnce: CONNECTIONS,
        againAfterMs: 500,
      },
    },
    {
      name: 'topics',
      setting: 'topicsPerConnectionMax',
      answer: 'too_many_topics',
      connections: {
        commands: [CONNECT, many(TOPICS_MAX + 40, (id) => ({ type: 'subscribe', id, topic: `scores.t${id}` }))],
        atOnce: CONNECTIONS,
        againAfterMs: 500,
      },
    },
    {
      name: 'publishes',
      setting: 'publishesPerConnectionMax',
      answer: 'busy',
      connections: { token, commands: [many(300, publish)], atOnce: CONNECTIONS / 2, againAfterMs: 1000 },
    },
    {
      name: 'calls',
      setting: 'callsPerSecondMax',
      answer: 'too_many_calls',
      connections: { token, commands: [many(300, call)], atOnce: CONNECTIONS, againAfterMs: 500 },
    },
    {
      name: 'replays',
      setting: 'replaysPerConnectionMax',
      answer: 'busy',
      connections: { commands: [CONNECT, many(8, replay)], atOnce: REPLAYERS, againAfterMs: 3000 },
    },
    {
      name: 'replaysOfAll',
      setting: 'replaysPerWorkerMax',
      answer: 'busy',
      connections: { commands: [CONNECT, many(4, replay)], atOnce: CONNECTIONS, againAfterMs: 3000 },
    },
    { name: 'halves', setting: 'requestsInFlightMax', answer: '503', requests: { text: `${half}{`, connections: HALVES } },
    {
      name: 'bodies',
      setting: 'requestBytesInFlightMax',
      answer: '503',
      requests: { text: `${half}${' '.repeat(BODY_BYTES - 1)}`, connections: HALVES },
    },
    { name: 'slowBodies', setting: 'bodyTimeoutMs', answer: '408', requests: { text: `${half}{`, connections: CONNECTIONS } },
  ];
}

export const limitsFlood: Scenario = {
  number: 33,
  title:
    'each limit that no other attack exceeds is exceeded all the time: places, silence, headers, messages, topics, calls, publishes, replays, bodies',
  pass: 'who exceeds it gets what src/LIMITS.md says; other clients are not affected',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 360_000,
  async execute(run, size) {
    const nats = await run.nats();
    await exceedPlaces(run, size, nats.url);
    await exceedSilence(run, size, nats.url);
    const settings = {
      'limits.topicsPerConnectionMax': TOPICS_MAX,
      'limits.callsPerSecondMax': 10,
      'tuning.http.requestBytesInFlightMax': 4 * 2 ** 20,
    };
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond, { settings });
    const token = await tokenOf({ sub: 'mallory', expiresInMs: 3_600_000 });
    const attacker = attackerOf(run);
    for (const attack of attacksOf(token)) await exceed(run, attacked, attacker, attack, size);
    await attacked.end();
  },
};

function attackerOf(run: FaultRun): AttackProcess {
  const attacker = new AttackProcess();
  run.onEnd(() => attacker.stop());
  return attacker;
}

/** Of a node of its own, which has few. */
async function exceedPlaces(run: FaultRun, size: Size, url: string): Promise<void> {
  const settings: NodeSettings = { settings: { 'limits.connectionsPerWorkerMax': PLACES } };
  const attacked = await AttackedNode.start(run, [url], size.ratePerSecond, settings);
  const connections = { commands: [CONNECT], atOnce: CONNECTIONS + PLACES };
  await exceed(run, attacked, attackerOf(run), { name: 'places', setting: 'connectionsPerWorkerMax', answer: '1006', connections }, size);
  const refused = await attacked.node.metric('stentor_upgrades_refused_total');
  run.expect(refused > 0, 'places: nobody was refused');
  await attacked.end();
}

/** Of a node of its own, which lets nobody in without a token. */
async function exceedSilence(run: FaultRun, size: Size, url: string): Promise<void> {
  const settings = {
    'tuning.connections.connectTimeoutMs': SILENT_MAX_MS,
    namespaces: { scores: { history: { maxCount: 1_000_000 } } },
  };
  const token = await tokenOf({ sub: 'member', expiresInMs: 3_600_000 });
  const attacked = await AttackedNode.start(run, [url], size.ratePerSecond, { settings, token });
  const connections = { commands: [], atOnce: SILENT };
  await exceed(run, attacked, attackerOf(run), { name: 'silent', setting: 'connectTimeoutMs', answer: '4001', connections }, size);
  await attacked.end();
}

async function exceed(run: FaultRun, attacked: AttackedNode, attacker: AttackProcess, attack: Attack, size: Size): Promise<void> {
  const { name, answer, setting } = attack;
  const { port } = attacked.node;
  // Slow bodies have 5 s.
  const long = size.quick && !/Timeout/.test(setting) ? 1.5 : 7;
  const { report } = await attacked.during(
    name,
    async () => {
      if ('requests' in attack) {
        const { statuses, requests } = await attacked.flooder.requests({
          ...attack.requests,
          port,
          reads: true,
          endsEarly: true,
          seconds: long,
        });
        return { got: statuses, count: requests };
      }
      const { closeCodes, errors, connections } = await attacker.attack({
        reads: true,
        ...attack.connections,
        ports: [port],
        seconds: long,
      });
      return { got: { ...closeCodes, ...errors }, count: connections };
    },
    { p99MaxMs: P99_MAX_MS },
  );
  run.figure(`${name}Count`, report.count);
  const got = report.got as Readonly<Record<string, number>>;
  run.expect((got[answer] ?? 0) > 0, `${name}: nobody got ${answer}, but ${JSON.stringify(got)}`);
  await seconds(SETTLE_SECONDS);
}
