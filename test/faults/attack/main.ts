import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { serveCalls } from '../../../loadtest/core/rpc.ts';
import type { AttackReport, AttackSettings } from './settings.ts';

/** Connections, one after the other, that send their commands without waiting for an answer: a new one as soon as the last has ended. */
serveCalls({ attack });

async function attack(settings: AttackSettings): Promise<AttackReport> {
  const { token, ports, localAddress, commands, everyMs, reads, seconds, atOnce, againAfterMs = Number.POSITIVE_INFINITY } = settings;
  const report = { connections: 0, bytesOut: 0, bytesIn: 0, largestFrameBytes: 0, closeCodes: {}, errors: {} } satisfies AttackReport;
  const endMs = performance.now() + seconds * 1000;
  const texts = commands.map((command) => JSON.stringify(command));
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  let opened = 0;
  let sent = 0;
  const attackOnce = () =>
    new Promise<void>((resolve) => {
      const url = `ws://127.0.0.1:${ports[opened++ % ports.length]}/ws`;
      const socket = new WebSocket(url, ['stentor.v1.json'], { perMessageDeflate: false, headers, localAddress });
      const timer = setTimeout(() => socket.terminate(), Math.max(0, Math.min(againAfterMs, endMs - performance.now())));
      let pace: NodeJS.Timeout | undefined;
      const send = (command: string) => {
        const text = command.replaceAll('{number}', String(sent++));
        report.bytesOut += text.length;
        socket.send(text);
      };
      socket.on('open', () => {
        report.connections++;
        if (everyMs === undefined) for (const text of texts) send(text);
        else {
          let next = 0;
          pace = setInterval(() => send(texts[next++ % texts.length] as string), everyMs);
        }
        if (!reads) socket.pause();
      });
      socket.on('message', (data: Buffer) => {
        report.bytesIn += data.length;
        report.largestFrameBytes = Math.max(report.largestFrameBytes, data.length);
        // A refusal, by itself or in an array of answers. Each code of a message counts once.
        if (!data.includes('"type":"error"')) return;
        for (const code of new Set(data.toString('latin1').match(/(?<="code":")[a-z_]+/g))) count(report.errors, code);
      });
      socket.on('error', () => undefined);
      socket.on('close', (code) => {
        clearTimeout(timer);
        clearInterval(pace);
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
