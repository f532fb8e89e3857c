import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../../support/node.ts';
import { until } from '../../support/until.ts';

const [OPERATOR, PUBLISHER] = ['the-token-of-the-operator', 'the-token-of-a-publisher'];
const TOKENS = {
  'admin.token': OPERATOR,
  'admin.tokens': [{ token: PUBLISHER, scopes: ['publish', 'read'] }],
};
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const half = (token: string, length = 50) =>
  `POST /api/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${length}\r\n\r\n{`;

let node: TestNode;
const sockets: net.Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await node?.stop();
});

const open = (text: string): net.Socket => {
  const socket = net.connect(node.running.adminPort, '127.0.0.1', () => socket.write(text));
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
};
const ask = (token: string, path = '/api/node') => node.admin(path, bearer(token));

describe('a token that fills its places', () => {
  it('with half-sent bodies, again and again, gets busy for itself only; the operator is answered', async () => {
    node = await TestNode.start({
      ...TOKENS,
      'tuning.admin.requestsPerTokenMax': 4,
      'tuning.admin.requestsInFlightMax': 8,
      'tuning.admin.bodyTimeoutMs': 500,
    });
    for (let round = 1; round <= 3; round++) {
      // Whoever is cut comes again, so that the places stay taken, however long the rest takes.
      let attacks = true;
      const attackers = Array.from({ length: 20 }, async () => {
        while (attacks) await once(open(half(PUBLISHER)).resume(), 'close');
      });
      try {
        await until('the places of the token to be taken', async () => (await ask(PUBLISHER)).status === 503);
        const answers = await Promise.all(Array.from({ length: 4 }, () => ask(OPERATOR)));
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
        await node.untilMetric('stentor_admin_requests_refused_total', (count) => count > 15 * round, { setting: 'requestsPerTokenMax' });
      } finally {
        attacks = false;
      }
      await Promise.all(attackers);
      expect((await ask(PUBLISHER)).status).toBe(200);
    }
    await node.untilMetric('stentor_admin_requests_in_flight', (count) => count === 0);
  });

  it('is told which setting is reached', async () => {
    node = await TestNode.start({ ...TOKENS, 'tuning.admin.requestsPerTokenMax': 1 });
    open(half(PUBLISHER));
    const refused = await until('one to be refused', async () => {
      const answer = await ask(PUBLISHER);
      return answer.status === 503 ? answer.json() : void (await answer.arrayBuffer());
    });
    expect(refused).toEqual({
      error: { code: 'busy', message: 'other requests of this token or address take up tuning.admin.requestsPerTokenMax (1)' },
    });
  });

  it('with large bodies leaves the others their bytes', async () => {
    const bytes = {
      'tuning.admin.bodyBytesMax': 65_536,
      'tuning.admin.bodiesBytesPerTokenMax': 65_536,
      'tuning.admin.bodiesBytesMax': 131_072,
    };
    node = await TestNode.start({ ...TOKENS, ...bytes });
    const body = JSON.stringify({ publications: [{ topic: 'scores.a', data: 'x'.repeat(40_000) }] });
    const post = (token: string) =>
      fetch(`http://127.0.0.1:${node.running.adminPort}/api/publish-many`, { method: 'POST', headers: bearer(token), body });
    open(half(PUBLISHER, 60_000).replace('publish ', 'publish-many ') + ' '.repeat(50_000));
    await until('one of its own to be refused', async () => (await post(PUBLISHER)).status === 503);
    expect((await post(OPERATOR)).status).toBe(200);
  });

  it('with answers that it does not read keeps its places until these are cut', async () => {
    node = await TestNode.start({
      ...TOKENS,
      'tuning.admin.requestsPerTokenMax': 2,
      'tuning.admin.answerTimeoutMs': 500,
      // More than the buffers of the sockets.
      'tuning.answers.historyBytesMax': 40_000_000,
      'tuning.answers.answerBytesPerNodeMax': 120_000_000,
      'tuning.answers.answerBytesPerWorkerMax': 120_000_000,
      namespaces: { scores: { maxPayloadBytes: 1_000_000 } },
    });
    for (let i = 0; i < 40; i++) await node.publish('scores.a', 'x'.repeat(900_000));
    const history = `GET /api/history?topic=scores.a&limit=40 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${PUBLISHER}\r\n\r\n`;
    for (let i = 0; i < 2; i++) open(history).pause();
    await until('both places to be taken', async () => (await ask(PUBLISHER)).status === 503);
    expect((await ask(OPERATOR)).status).toBe(200);
    await until('the places to be free', async () => (await ask(PUBLISHER)).status === 200);
    await node.untilMetric('stentor_admin_body_bytes', (bytes) => bytes === 0);
  });
});

describe('an address that fills the connections', () => {
  it('without a token, in silence, loses its oldest; whoever asks is answered', async () => {
    node = await TestNode.start({ ...TOKENS, 'tuning.admin.connectionsMax': 16 });
    for (let i = 0; i < 100; i++) {
      await once(open('GET /api/node HTTP/1.1\r\nHost: x\r\n'), 'connect');
    }
    expect((await ask(OPERATOR)).status).toBe(200);
    expect(await node.metric('stentor_admin_connections')).toBeLessThanOrEqual(16);
    expect(await node.metric('stentor_admin_connections_cut_total')).toBeGreaterThan(80);
  });

  it('does not end a request that is being answered', async () => {
    node = await TestNode.start({ ...TOKENS, 'tuning.admin.connectionsMax': 8, 'tuning.admin.bodyTimeoutMs': 60_000 });
    const body = JSON.stringify({ topic: 'scores.a', data: 1 });
    const asking = open(half(OPERATOR, body.length));
    await node.untilMetric('stentor_admin_requests_in_flight', (count) => count === 1);
    for (let i = 0; i < 30; i++) await once(open(''), 'connect');
    asking.write(body.slice(1));
    const [answer] = await once(asking, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('with half a request is told to go after a while', async () => {
    node = await TestNode.start({ ...TOKENS, 'tuning.admin.bodyTimeoutMs': 100 });
    const [answer] = await once(open('GET /api/node HTTP/1.1\r\nHost: x\r\n'), 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
  });
});
