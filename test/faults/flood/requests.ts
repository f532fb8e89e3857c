import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestsReport, RequestsSettings } from './settings.ts';

/** So that a refused connection does not turn into a loop of connects alone. */
const AGAIN_AFTER_MS = 5;
const NO_STATUS = 'none';
/** A large answer asks the client to close. */
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');

/** Connections that each send one request after the other, every one on a connection of its own, as fast as they are answered. */
export async function requests({
  port,
  localAddress,
  text,
  reads,
  endsEarly,
  connections,
  seconds,
}: RequestsSettings): Promise<RequestsReport> {
  const report: RequestsReport = { requests: 0, bytesIn: 0, statuses: {} };
  const endMs = performance.now() + seconds * 1000;
  const open = new Set<net.Socket>();
  const once = (number: number) =>
    new Promise<void>((resolve) => {
      let status = NO_STATUS;
      const socket = net.connect({ port, host: '127.0.0.1', localAddress }, () => {
        report.requests++;
        socket.write(text.replaceAll('{number}', String(number).padStart(8, '0')));
      });
      open.add(socket);
      if (!reads) socket.pause();
      socket.on('data', (bytes) => {
        report.bytesIn += bytes.length;
        if (status === NO_STATUS) status = bytes.toString('latin1', 9, 12);
        if (endsEarly || bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        report.statuses[status] = (report.statuses[status] ?? 0) + 1;
        resolve();
      });
    });
  const timer = setTimeout(() => {
    for (const socket of open) socket.destroy();
  }, seconds * 1000);
  await Promise.all(
    Array.from({ length: connections }, async (_, i) => {
      for (let n = 0; performance.now() < endMs; n++) {
        await once(n * connections + i);
        await sleep(AGAIN_AFTER_MS);
      }
    }),
  );
  clearTimeout(timer);
  return report;
}
