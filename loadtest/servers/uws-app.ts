import { loadUws, type Socket, type UwsApp } from '../../src/transport/uws.ts';

/** The default, 64 KiB, would drop messages of a slow reader; a run whose deliveries are not complete does not count. */
const MAX_BACKPRESSURE_BYTES = 268_435_456;

/** The peer that counts most: the same build of uWebSockets.js that Stentor loads, native publish, and nothing else. */
export async function startUwsApp(): Promise<{ app: UwsApp; port: number }> {
  const uws = await loadUws();
  const app = uws.App().ws('/*', {
    compression: 0,
    idleTimeout: 120,
    maxBackpressure: MAX_BACKPRESSURE_BYTES,
    message(socket: Socket<unknown>, message: ArrayBuffer) {
      const topics = Buffer.from(message).toString('latin1').slice('sub '.length).split(' ');
      for (const topic of topics) socket.subscribe(topic);
      socket.send(`ok${topics.length}`);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    app.listen('0.0.0.0', 0, (listenSocket) => {
      if (listenSocket === false) reject(new Error('uWebSockets.js could not listen'));
      else resolve(uws.localPort(listenSocket));
    });
  });
  return { app, port };
}
