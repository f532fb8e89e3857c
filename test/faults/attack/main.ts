import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { serveCalls } from '../../../loadtest/core/rpc.ts';
import type { AttackReport, AttackSettings } from './settings.ts';

/** Anonymous connections, one after the other, that send their commands without waiting for an answer: a new one as soon as the last has ended. */
serveCalls({ attack });

async function attack({ port, commands, reads, seconds, atOnce }: AttackSettings): Promise<AttackReport> {
  const report = { connections: 0, bytesOut: 0, bytesIn: 0, largestFrameBytes: 0, closeCodes: {}, errors: {} } satisfies AttackReport;
  const endMs = performance.now() + seconds * 1000;
  const attackOnce = () =>
    new Promise<void>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['stentor.v1.json'], { perMessageDeflate: false });
      const timer = setTimeout(() => socket.terminate(), Math.max(0, endMs - performance.now()));
      socket.on('open', () => {
        report.connections++;
        for (const command of commands) {
          const text = JSON.stringify(command);
          report.bytesOut += text.length;
          socket.send(text);
        }
        if (!reads) socket.pause();
      });
      socket.on('message', (data: Buffer) => {
        report.bytesIn += data.length;
        report.largestFrameBytes = Math.max(report.largestFrameBytes, data.length);
        // What is short may be a refusal.
        if (data.length < 1000 && data.includes('"type":"error"'))
          count(report.errors, (JSON.parse(data.toString()) as { code: string }).code);
      });
      socket.on('error', () => undefined);
      socket.on('close', (code) => {
        clearTimeout(timer);
        count(report.closeCodes, String(code));
        resolve();
      });
    });
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < endMs) {
        await attackOnce();
        // A refused connection ends at once.
        await sleep(20);
      }
    }),
  );
  return report;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
