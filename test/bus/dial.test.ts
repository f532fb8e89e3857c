import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type NetConnectOpts, Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dial } from '../../src/bus/nats/dial.ts';
import { freePort } from '../support/free-port.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const end of ends.splice(0).reverse()) await end();
});

async function listen(): Promise<number> {
  const server = createServer((socket) => void ends.push(() => socket.destroy())).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** Nobody answers attempts before this one. */
function unansweredUntil(answered: number) {
  const sockets: Socket[] = [];
  const connect = (options: NetConnectOpts) => {
    const socket = sockets.length + 1 < answered ? new Socket() : createConnection(options);
    sockets.push(socket);
    return socket;
  };
  return { sockets, connect: connect as typeof createConnection };
}

describe('dialling NATS', () => {
  it('uses the attempt that is answered, and ends those that are not', async () => {
    const port = await listen();
    const { sockets, connect } = unansweredUntil(3);
    const socket = await dial(() => ({ port, host: '127.0.0.1' }), connect);
    ends.push(() => socket.destroy());
    expect(sockets.map((each) => each.destroyed)).toEqual([true, true, false]);
    expect(socket).toBe(sockets[2]);
    expect(socket.listenerCount('close')).toBe(0);
  });

  it('is refused at once, without further attempts', async () => {
    const { sockets, connect } = unansweredUntil(1);
    const port = freePort();
    await expect(dial(() => ({ port, host: '127.0.0.1' }), connect)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(sockets.length).toBe(1);
  });

  it('gives up at the end, with nothing left open', async () => {
    vi.useFakeTimers();
    const { sockets, connect } = unansweredUntil(Number.POSITIVE_INFINITY);
    const dialled = expect(dial(() => ({ port: 1, host: '127.0.0.1' }), connect)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    await vi.advanceTimersByTimeAsync(60_000);
    await dialled;
    expect([sockets.length, sockets.every((socket) => socket.destroyed)]).toEqual([10, true]);
  });
});
