import { rawUpgrade } from '../../support/raw-http.ts';
import { tokenOf } from '../../support/tokens.ts';
import { type Attack, carryOut } from '../attack/attacks.ts';
import { many } from '../attack/many.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { FaultRun, NodeSettings } from '../fault-run.ts';
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

const CONNECT = { type: 'connect', id: 0 };

/** What exceeds one limit, as often as the node lets it. `answer`: a close code, an error or a status that it must get. */
type Excess = Attack & { readonly setting: string; readonly answer: string };

function excessesOf(token: string): Excess[] {
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
    for (const excess of excessesOf(token)) await exceed(run, attacked, excess, size);
    await attacked.end();
  },
};

/** Of a node of its own, which has few. */
async function exceedPlaces(run: FaultRun, size: Size, url: string): Promise<void> {
  const settings: NodeSettings = { settings: { 'limits.connectionsPerWorkerMax': PLACES } };
  const attacked = await AttackedNode.start(run, [url], size.ratePerSecond, settings);
  const connections = { commands: [CONNECT], atOnce: CONNECTIONS + PLACES };
  await exceed(run, attacked, { name: 'places', setting: 'connectionsPerWorkerMax', answer: '1006', connections }, size);
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
  await exceed(run, attacked, { name: 'silent', setting: 'connectTimeoutMs', answer: '4001', connections }, size);
  await attacked.end();
}

async function exceed(run: FaultRun, attacked: AttackedNode, excess: Excess, size: Size): Promise<void> {
  const { name, answer, setting } = excess;
  // Slow bodies have 5 s.
  const long = size.quick && !/Timeout/.test(setting) ? 1.5 : 7;
  const { report } = await attacked.during(name, () => carryOut(attacked, excess, { seconds: long }), { p99MaxMs: P99_MAX_MS });
  run.figure(`${name}Count`, report.count);
  run.expect((report.got[answer] ?? 0) > 0, `${name}: nobody got ${answer}, but ${JSON.stringify(report.got)}`);
  await seconds(SETTLE_SECONDS);
}
