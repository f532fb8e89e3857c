import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { TestProxy } from './proxy.ts';
import { until } from './until.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A client's socket, and the server's end of the same connection. */
async function connectThrough(): Promise<{ proxy: TestProxy; client: Socket; server: Socket }> {
  const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  stops.push(() => listener.close());
  await once(listener, 'listening');
  const proxy = await TestProxy.start((listener.address() as AddressInfo).port);
  stops.push(() => proxy.stop());
  const client = connect(proxy.port, '127.0.0.1').setEncoding('utf8');
  stops.push(() => client.destroy());
  const [server] = (await once(listener, 'connection')) as [Socket];
  return { proxy, client, server };
}

it('keeps a connection’s bytes in order when its delay becomes shorter', async () => {
  const { proxy, client, server } = await connectThrough();
  let heard = '';
  client.on('data', (text) => {
    heard += text;
  });
  proxy.delayMs = 200;
  server.write('first, ');
  await until('the first bytes to be in the proxy', () => proxy.bytesDown === 7);
  proxy.delayMs = 10;
  server.write('second, ');
  await until('more bytes to be in the proxy', () => proxy.bytesDown === 15);
  proxy.reset();
  server.end('third');
  await once(client, 'end');
  expect(heard).toBe('first, second, third');
});
