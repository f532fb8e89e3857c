import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { WebSocketBlocker } from './websocket-blocker.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

it('keeps what a client sends in order while it is still connecting to the server', async () => {
  const listener = createServer().listen(0, '127.0.0.1');
  stops.push(() => listener.close());
  await once(listener, 'listening');
  const blocker = await WebSocketBlocker.start((listener.address() as AddressInfo).port);
  stops.push(() => blocker.stop());
  for (let n = 0; n < 50; n++) {
    const accepted = once(listener, 'connection') as Promise<[Socket]>;
    const client = connect({ port: blocker.port, host: '127.0.0.1', noDelay: true }, () => {
      client.write('POST /publish HTTP/1.1\r\n\r\n');
      setImmediate(() => client.end('body'));
    });
    const [server] = await accepted;
    let heard = '';
    server.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    await once(server, 'end');
    expect(heard).toBe('POST /publish HTTP/1.1\r\n\r\nbody');
    client.destroy();
  }
});
