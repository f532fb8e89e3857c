import { jetstream } from '@nats-io/jetstream';
import { tokenOf } from '../../support/tokens.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { FaultRun } from '../fault-run.ts';
import type { RequestsSettings } from '../flood/settings.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario } from '../scenario.ts';
import { readStore, withNats } from '../store.ts';
import { monoMs, seconds } from '../time.ts';

const CONNECTIONS = 100;
/** Every request has a connection of its own, so kernel, attacker and node share the two cores. */
const P99_MAX_MS = 1000;
/** At their largest, with what garbage collection has not found yet. */
const MEMORY_MAX_MB = 350;
/** What a history or a stream of the flooded topic begins with: more than the buffers of a socket. */
const ITEMS = 400;
const ITEM_BYTES = 20_000;
/** uWebSockets notices that nothing is read after 10 s. */
const SETTLE_MS = 30_000;

const TOPIC = 'scores.flooded';
const LINES = 'Host: localhost\r\nOrigin: https://page.example\r\n';

type Attack = Pick<RequestsSettings, 'text' | 'reads' | 'endsEarly'> & { readonly name: string };

function attacksOf(token: string): Attack[] {
  const bearer = `${LINES}Authorization: Bearer ${token}\r\n`;
  const body = JSON.stringify({ topic: TOPIC, data: '{number}', idempotencyKey: '{number}' });
  const publish = `POST /publish HTTP/1.1\r\n${bearer}Content-Length: ${body.length}\r\n\r\n${body}`;
  const history = `GET /history?topic=${TOPIC}&last=${ITEMS} HTTP/1.1\r\n${LINES}\r\n`;
  const stream = `GET /sse?topic=${TOPIC}&since=another:1&snapshot=true HTTP/1.1\r\n${LINES}\r\n`;
  const preflight = `OPTIONS /publish HTTP/1.1\r\n${LINES}Access-Control-Request-Method: POST\r\n\r\n`;
  return [
    { name: 'publishes', text: publish, reads: true, endsEarly: false },
    { name: 'histories', text: history, reads: true, endsEarly: false },
    { name: 'unreadHistories', text: history, reads: false, endsEarly: false },
    { name: 'streams', text: stream, reads: true, endsEarly: true },
    { name: 'unreadStreams', text: stream, reads: false, endsEarly: false },
    { name: 'halfSent', text: `POST /publish HTTP/1.1\r\n${bearer}Content-Length: 60000\r\n\r\n{`, reads: true, endsEarly: false },
    { name: 'preflights', text: preflight, reads: true, endsEarly: false },
  ];
}

export const requestFlood: Scenario = {
  number: 30,
  title: `${CONNECTIONS} connections send HTTP requests as fast as they are answered: publishes, histories, streams, halves, preflights`,
  pass: 'memory stays within the bounds; other clients are not affected; what was acknowledged is stored; afterwards nothing stays counted',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond);
    const { node, flooder } = attacked;
    await fill(nats.url);
    const token = await tokenOf({ sub: 'mallory', expiresInMs: 3_600_000 });
    let acknowledged = 0;
    for (const { name, ...attack } of attacksOf(token)) {
      const { report } = await attacked.during(
        name,
        () => flooder.requests({ ...attack, port: node.port, connections: CONNECTIONS, seconds: size.quick ? 1 : 8 }),
        { p99MaxMs: P99_MAX_MS },
      );
      run.figure(`${name}Sent`, report.requests);
      if (name === 'publishes') acknowledged = report.statuses['200'] ?? 0;
      for (const part of ['Worker', 'Hub']) run.limit(`${name}${part}Mb`, run.outcome.figures[`${name}${part}Mb`] ?? 0, MEMORY_MAX_MB);
      await settled(run, node, name);
    }
    await attacked.end();
    const stored = (await readStore([nats.url], 'scores')).filter(({ topic }) => topic === TOPIC).length;
    run.figure('publishesAcknowledged', acknowledged);
    run.limit('acknowledgedLost', Math.max(0, acknowledged + ITEMS - stored), 0);
  },
};

async function fill(url: string): Promise<void> {
  const payload = JSON.stringify({ text: 'x'.repeat(ITEM_BYTES) });
  await withNats(url, async (nc) => {
    const js = jetstream(nc);
    for (let i = 0; i < ITEMS; i++) await js.publish(`feed.${TOPIC}`, payload);
  });
}

/** Nothing of an attack stays counted: otherwise it would keep its places for ever. */
async function settled(run: FaultRun, node: RestartableNode, name: string): Promise<void> {
  const deadlineMs = monoMs() + SETTLE_MS;
  for (const metric of ['stentor_http_requests_in_flight', 'stentor_http_request_bytes_in_flight', 'stentor_event_streams']) {
    while ((await node.metric(metric)) > 0 && monoMs() < deadlineMs) await seconds(0.1);
    run.limit(`${name}Left`, await node.metric(metric), 0);
  }
}
