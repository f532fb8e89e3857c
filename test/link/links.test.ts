import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createInProcessLink } from '../../src/link/in-process.ts';
import type { Link } from '../../src/link/link.ts';
import type { ToHub, ToWorker } from '../../src/link/messages.ts';
import { PublicationMessage } from '../../src/link/publication-message.ts';
import { SocketLink } from '../../src/link/socket.ts';
import { encodeRecord } from '../../src/link/wire.ts';
import type { Topic } from '../../src/protocol/topic.ts';

const open = (name: number): ToHub => ({ kind: 'open', topic: `scores.t${name}` as Topic });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Collects batches, and tells when so many messages have come. */
class Inbox<T> {
  readonly batches: (readonly T[])[] = [];
  #waiting: { count: number; resolve: () => void } | undefined;

  constructor(link: Link<never, T>) {
    link.onMessages((batch) => {
      this.batches.push(batch);
      if (this.#waiting !== undefined && this.messages.length >= this.#waiting.count) this.#waiting.resolve();
    });
  }

  get messages(): T[] {
    return this.batches.flat();
  }

  until(count: number): Promise<void> {
    if (this.messages.length >= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { count, resolve };
    });
  }
}

describe('the in-process link', () => {
  it('delivers what was sent in one turn as one batch, at its end and in order, in both directions', async () => {
    const { hubEnd, workerEnd } = createInProcessLink();
    const atHub = new Inbox<ToHub>(hubEnd as never);
    const atWorker = new Inbox<ToWorker>(workerEnd as never);
    for (let i = 0; i < 3; i++) workerEnd.send(open(i));
    hubEnd.send({ kind: 'drain' });
    expect(atHub.batches).toEqual([]);
    await turn();
    workerEnd.send(open(3));
    await turn();
    expect(atHub.batches).toEqual([[open(0), open(1), open(2)], [open(3)]]);
    expect(atWorker.batches).toEqual([[{ kind: 'drain' }]]);
  });

  it('delivers answers in the turn after', async () => {
    const { hubEnd, workerEnd } = createInProcessLink();
    const atWorker = new Inbox<ToWorker>(workerEnd as never);
    hubEnd.onMessages((batch) => {
      for (const _ of batch) hubEnd.send({ kind: 'metricsWanted', requestId: 1 });
    });
    workerEnd.send(open(1));
    await turn();
    await turn();
    expect(atWorker.messages).toEqual([{ kind: 'metricsWanted', requestId: 1 }]);
  });

  it('delivers what was sent before a close, tells both ends once, and nothing after', async () => {
    const { hubEnd, workerEnd } = createInProcessLink();
    const atHub = new Inbox<ToHub>(hubEnd as never);
    const atWorker = new Inbox<ToWorker>(workerEnd as never);
    const closed: string[] = [];
    hubEnd.onClose(() => closed.push('hub'));
    workerEnd.onClose(() => closed.push('worker'));
    workerEnd.send(open(1));
    hubEnd.send({ kind: 'drain' });
    workerEnd.close();
    workerEnd.send(open(2));
    hubEnd.send({ kind: 'drain' });
    workerEnd.close();
    hubEnd.close();
    await turn();
    expect(closed.sort()).toEqual(['hub', 'worker']);
    expect(atHub.messages).toEqual([open(1)]);
    expect(atWorker.messages).toEqual([]);
    expect(hubEnd.queuedBytes).toBe(0);
  });
});

/** What the other end of a socket pair runs. */
const ECHO = `const s = new (require('node:net').Socket)({ fd: 3 }); s.pipe(s);`;
const DEAF = `const s = new (require('node:net').Socket)({ fd: 3 }); s.pause(); setInterval(() => {}, 1000); process.stdout.write('ready');`;
const NOISE = `const s = new (require('node:net').Socket)({ fd: 3 }); s.write(Buffer.alloc(64, 0xff)); s.on('close', () => process.exit(7)); s.resume();`;

describe('the socket link', () => {
  const children: ChildProcess[] = [];

  /** A process on the other end of a socket pair on its descriptor 3, as the supervisor makes them. */
  function withChild(program: string, batchMs = 0) {
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
    children.push(child);
    const socket = child.stdio[3] as Socket;
    return { child, socket, link: new SocketLink<ToHub, ToHub>(socket, batchMs) };
  }

  afterEach(async () => {
    await Promise.all(
      children.splice(0).map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  });

  it('writes what was sent in one turn at once, and keeps the order', async () => {
    const { link, socket } = withChild(ECHO);
    const inbox = new Inbox<ToHub>(link as never);
    const writes: number[] = [];
    const write = socket.write.bind(socket) as (chunk: Buffer) => boolean;
    socket.write = ((chunk: Buffer) => {
      writes.push(chunk.length);
      return write(chunk);
    }) as typeof socket.write;
    const records = Array.from({ length: 100 }, (_, i) => open(i));
    for (const record of records) link.send(record);
    expect(link.queuedBytes).toBe(records.reduce((sum, record) => sum + encodeRecord(record).length, 0));
    expect(writes).toEqual([]);
    await turn();
    expect(writes).toHaveLength(1);
    await inbox.until(100);
    expect(inbox.messages).toEqual(records);
    expect(link.queuedBytes).toBe(0);
  });

  it('joins messages that are sent one per turn, for longer than a burst', async () => {
    const { link } = withChild(ECHO, 50);
    const inbox = new Inbox<ToHub>(link as never);
    link.send(open(0));
    await inbox.until(1);
    for (let i = 1; i <= 200; i++) {
      link.send(open(i));
      await turn();
    }
    await inbox.until(201);
    expect(inbox.messages).toEqual(Array.from({ length: 201 }, (_, i) => open(i)));
    expect(inbox.batches.length).toBeLessThan(100);
  });

  it('carries 50,000 publications and a message of 20 MB between them, in order', async () => {
    const { link } = withChild(ECHO);
    const inbox = new Inbox<ToHub>(link as never);
    const data = Buffer.alloc(60, 0xc0);
    for (let i = 0; i < 50_000; i++) {
      link.send(new PublicationMessage(1, i, { offset: i + 1, key: null, data, publishedAtMs: i }) as never);
      if (i === 25_000)
        link.send({ kind: 'call', requestId: 1, method: 'm', data: Buffer.alloc(20_000_000), timeoutMs: 1, user: '', connectionId: '' });
      if (i % 1000 === 0) await turn();
    }
    await inbox.until(50_001);
    const seen = (inbox.messages as unknown as (PublicationMessage | { kind: 'call' })[]).map((one) =>
      one.kind === 'call' ? 'call' : one.prev,
    );
    const expected: (number | string)[] = Array.from({ length: 50_000 }, (_, i) => i);
    expected.splice(25_001, 0, 'call');
    expect(seen).toEqual(expected);
  });

  it('reports how much waits for an end that does not read, and can be closed', async () => {
    const { link, child } = withChild(DEAF);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    for (let i = 0; i < 100; i++) {
      link.send({ kind: 'call', requestId: i, method: 'm', data: Buffer.alloc(100_000), timeoutMs: 1, user: '', connectionId: '' });
      await turn();
    }
    // The kernel takes some of the 10 MB.
    expect(link.queuedBytes).toBeGreaterThan(8_000_000);
    const closed = new Promise<string>((resolve) => link.onClose(resolve));
    child.kill('SIGKILL');
    await closed;
    link.send(open(1));
    expect(link.queuedBytes).toBeLessThan(10_100_000);
  });

  it('delivers what was sent before a close, and tells each end once', async () => {
    const { link, child, socket } = withChild(
      `let n = 0; const s = new (require('node:net').Socket)({ fd: 3 }); s.on('data', (d) => { n += d.length; }); s.on('end', () => process.exit(n));`,
    );
    const reasons: string[] = [];
    link.onClose((reason) => reasons.push(reason));
    link.send(open(1));
    link.close();
    link.send(open(2));
    link.close();
    const [code] = await once(child, 'exit');
    expect(code).toBe(encodeRecord(open(1)).length);
    if (!socket.closed) await once(socket, 'close');
    expect(reasons).toEqual(['closed']);
  });

  it('is closed when the process on the other end dies', async () => {
    const { link, child } = withChild(ECHO);
    const inbox = new Inbox<ToHub>(link as never);
    link.send(open(1));
    await inbox.until(1);
    const closed = new Promise<string>((resolve) => link.onClose(resolve));
    child.kill('SIGKILL');
    expect(await closed).not.toBe('closed');
  });

  it('closes on an invalid record', async () => {
    const { link, child } = withChild(NOISE);
    const inbox = new Inbox<ToHub>(link as never);
    const reason = await new Promise<string>((resolve) => link.onClose(resolve));
    expect(reason).toBe('link record of 4294967295 bytes');
    const [code] = await once(child, 'exit');
    expect(code).toBe(7);
    expect(inbox.messages).toEqual([]);
  });

  it('delivers nothing after a close', async () => {
    const { link, child, socket } = withChild(ECHO);
    const inbox = new Inbox<ToHub>(link as never);
    for (let i = 0; i < 1000; i++) link.send(open(i));
    link.close();
    if (!socket.closed) await once(socket, 'close');
    expect(inbox.messages).toEqual([]);
    if (child.exitCode === null) await once(child, 'exit');
  });
});
