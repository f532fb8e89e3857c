import net from 'node:net';
import { rawUpgrade } from '../support/raw-http.ts';
import { monoMs, seconds } from './time.ts';

const GIVE_UP_MS = 30_000;
const AGAIN_AFTER_MS = 100;

/** From the first try until a WebSocket is open. */
export async function newcomerMs(port: number, localAddress: string): Promise<number> {
  const startMs = monoMs();
  while (monoMs() - startMs < GIVE_UP_MS) {
    if (await isLetIn(port, localAddress)) return monoMs() - startMs;
    await seconds(AGAIN_AFTER_MS / 1000);
  }
  return GIVE_UP_MS;
}

function isLetIn(port: number, localAddress: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    const timer = setTimeout(() => socket.destroy(), GIVE_UP_MS);
    socket.once('connect', () => socket.write(rawUpgrade()));
    socket.once('data', (bytes) => {
      resolve(bytes.toString('latin1').startsWith('HTTP/1.1 101'));
      socket.destroy();
    });
    socket.once('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}
