import net from 'node:net';
import { pick, type Random } from '../../src/demo/random.ts';
import { Inside } from '../faults/inside/inside.ts';
import { ADMIN_TOKEN, NodeProcess } from '../support/node-process.ts';
import { rawUpgrade } from '../support/raw-http.ts';
import { mutate, mutateText } from './mutate.ts';
import type { Target } from './target.ts';

const NAMESPACES = {
  chat: { public: true, clientPublish: true, presence: 'members' },
  live: { public: true, durable: false, state: 'keyed' },
};
/** Of one input: what takes longer is cut off, and not judged. */
const PATIENCE_MS = 3000;

const MESSAGES = [
  '{"type":"connect","id":0}',
  '{"type":"subscribe","id":1,"topic":"chat.a","snapshot":true}',
  '[{"type":"subscribe","id":2,"topic":"live.b","maxRateHz":5},{"type":"unsubscribe","id":3,"topic":"live.b"}]',
  '{"type":"history","id":4,"topic":"chat.a","last":5}',
  '{"type":"publish","id":5,"topic":"chat.a","data":{"a":[1,2,{"b":null}]},"idempotencyKey":"k"}',
  '{"type":"call","id":6,"method":"echo","data":"x"}',
  '{"type":"presence","id":7,"topic":"chat.a"}',
  '{"type":"ping"}',
].map((text) => Buffer.from(text));

/** A node of its own, which must live, with the same workers, until the end. */
async function startNode() {
  const inside = new Inside();
  const settings = {
    workers: 1,
    namespaces: NAMESPACES,
    'log.level': 'info',
    // The inputs come from one address, as fast as possible.
    'tuning.http.requestsInFlightMax': 1000,
  };
  const node = NodeProcess.launch(settings, { env: inside.env });
  await node.untilStarted(1);
  const first = await node.connect({ encoding: 'json' });
  await first.subscribe('chat.alive');
  const workers = node.workerPids;
  return {
    node,
    memory: async () => {
      const processes = await Promise.all([node.pid, ...workers].map((pid) => inside.look(pid)));
      return processes.reduce((sum, { heapBytes, externalBytes }) => sum + heapBytes + externalBytes, 0);
    },
    check: async () => {
      if (String(node.workerPids) !== String(workers)) throw new Error(`a worker has been replaced:\n${node.output.slice(-4000)}`);
      // One that was there all the time, and a new one.
      const client = await node.connect({ encoding: 'json' });
      await client.subscribe('chat.alive');
      const text = `alive ${Math.random()}`;
      await node.publish('chat.alive', text);
      for (const each of [first, client]) await each.next('batch', ({ items }) => items.some(([, , data]) => data === text));
      await client.close();
    },
    stop: async () => {
      await node.stop();
      inside.end();
    },
  };
}

/** Sends, after `opening` has been answered if there is one, and ends. @returns everything that was answered */
function exchange(port: number, bytes: Uint8Array, opening?: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = net.connect(port, '127.0.0.1', () => (opening === undefined ? socket.end(bytes) : socket.write(opening)));
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on('data', (chunk) => {
      if (opening !== undefined && answer === '') socket.end(bytes);
      if (answer.length < 4000) answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

/** A frame: mostly as clients send them; sometimes with wrong bits, lengths or without a mask. */
export function strangeFrame(random: Random): Buffer {
  const below = (max: number) => Math.floor(random() * max);
  const wrong = () => random() < 0.1;
  const payload = wrong()
    ? Buffer.alloc(below(300), below(256))
    : Buffer.from(mutate(random, pick(random, MESSAGES), pick(random, MESSAGES)));
  const opcode = wrong() ? below(16) : pick(random, [0, 1, 1, 1, 2, 8, 9, 10]);
  const first = (random() < 0.85 ? 0x80 : 0) | (wrong() ? below(8) << 4 : 0) | opcode;
  const masked = wrong() ? 0 : 0x80;
  const length = wrong() ? below(70_000) : payload.length;
  const head =
    length < 126 && !wrong()
      ? Buffer.from([first, masked | length])
      : random() < 0.8
        ? Buffer.from([first, masked | 126, (length >> 8) & 255, length & 255])
        : Buffer.concat([
            Buffer.from([first, masked | 127]),
            Buffer.from(Array.from({ length: 8 }, (_, i) => (wrong() ? below(256) : i < 4 ? 0 : (length >>> (8 * (7 - i))) & 255))),
          ]);
  const mask = Buffer.from([below(256), below(256), below(256), below(256)]);
  const body = masked ? Buffer.concat([mask, payload.map((byte, i) => byte ^ (mask[i % 4] as number))]) : payload;
  return Buffer.concat([head, body]);
}

/** Frames on a raw socket: one to six of them after the upgrade, then the end of the connection. */
export async function frames(): Promise<Target> {
  const { node, ...rest } = await startNode();
  return {
    ...rest,
    name: 'frames',
    parallel: 16,
    input: (random) => Buffer.concat(Array.from({ length: 1 + Math.floor(random() * 6) }, () => strangeFrame(random))),
    give: async (input) => {
      const answer = await exchange(node.port, input, rawUpgrade());
      if (!answer.startsWith('HTTP/1.1 101')) throw new Error(`the upgrade was answered with ${JSON.stringify(answer.slice(0, 200))}`);
    },
  };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

const asked = (method: string, path: string, body: object | string = ''): Asked => ({
  method,
  path,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const ADMIN: readonly Asked[] = [
  asked('POST', '/api/publish', { topic: 'chat.a', data: { a: 1 }, idempotencyKey: 'k' }),
  asked('POST', '/api/publish-many', { publications: [{ topic: 'live.a', key: 'k', data: 1 }] }),
  asked('POST', '/api/send', { namespace: 'chat', data: 1 }),
  asked('POST', '/api/call', { connectionId: 'n.1.1', method: 'm', timeoutMs: 10 }),
  asked('GET', '/api/history?topic=chat.a&last=5'),
  asked('GET', '/api/topics?prefix=chat&limit=10'),
  asked('GET', '/api/presence?topic=chat.a'),
  asked('GET', '/api/users?limit=2'),
  asked('GET', '/api/connections?user=ana'),
  asked('POST', '/api/disconnect', { user: 'nobody' }),
  asked('POST', '/api/unsubscribe', { user: 'nobody', topic: 'chat.a' }),
  asked('GET', '/api/nodes'),
  asked('GET', '/metrics'),
];
const CLIENTS: readonly Asked[] = [
  asked('POST', '/publish?topic=chat.a', { a: 1 }),
  asked('GET', '/history?topic=chat.a&last=5'),
  asked('GET', '/sse?topic=chat.a&snapshot=true'),
  asked('GET', '/ws'),
];

/** Requests to the admin port and to the clients' port: valid ones with a mutated path, query or body. None may be answered with 500. */
export async function api(): Promise<Target> {
  const { node, ...rest } = await startNode();
  return {
    ...rest,
    name: 'api',
    parallel: 16,
    input: (random) => {
      const isAdmin = random() < 0.7;
      const all = isAdmin ? ADMIN : CLIENTS;
      const { method, path, body } = pick(random, all);
      const strangePath = random() < 0.5 ? mutateText(random, path, pick(random, all).path).replace(/[^!-~]/g, '') : path;
      const strangeBody = mutate(random, Buffer.from(body || '{}'), Buffer.from(pick(random, all).body));
      const text = method === 'POST' ? strangeBody : Buffer.alloc(0);
      const lines = [`${method} ${strangePath} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${ADMIN_TOKEN}`];
      const length = method === 'POST' ? [`Content-Length: ${text.length}`] : [];
      // The first byte says which port.
      return Buffer.concat([
        Buffer.from([isAdmin ? 1 : 0]),
        Buffer.from([...lines, ...length, 'Connection: close', '', ''].join('\r\n')),
        text,
      ]);
    },
    give: async (input) => {
      const answer = await exchange(input[0] === 1 ? node.adminPort : node.port, input.subarray(1));
      const status = Number(answer.split(' ')[1] ?? Number.NaN);
      if (status === 500 || /internal|unexpected/.test(answer.split('\r\n\r\n')[1]?.slice(0, 200) ?? ''))
        throw new Error(`answered with ${answer.slice(0, 400)}`);
    },
  };
}
