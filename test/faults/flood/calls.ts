import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { CallsReport, CallsSettings } from './settings.ts';

const TICK_MS = 20;

export async function calls(settings: CallsSettings): Promise<CallsReport> {
  const { port, token, connections, seconds, callsPerSecond } = settings;
  const report: CallsReport = { calls: 0, answers: {}, closeCodes: {} };
  const headers = { authorization: `Bearer ${token}` };
  const sockets = Array.from({ length: connections }, () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['stentor.v1.json'], { perMessageDeflate: false, headers });
    socket.on('error', () => undefined);
    socket.on('close', (code) => count(report.closeCodes, String(code)));
    socket.on('message', (data: Buffer) => {
      const { type, code } = JSON.parse(data.toString()) as { type: string; code?: string };
      if (type === 'result' || type === 'error') count(report.answers, code ?? type);
    });
    return socket;
  });
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('open', resolve).once('close', resolve))));
  const data = settings.data === 'text' ? 'x'.repeat(settings.bytes) : Array.from({ length: settings.bytes / 3 }, () => []);
  const text = JSON.stringify({ type: 'call', id: 1, method: settings.method, data, timeoutMs: settings.timeoutMs });
  const startMs = performance.now();
  let made = 0;
  while (performance.now() - startMs < seconds * 1000) {
    for (const due = ((performance.now() - startMs) / 1000) * callsPerSecond; made < due; made++) {
      for (const socket of sockets) {
        if (socket.readyState !== WebSocket.OPEN) continue;
        report.calls++;
        socket.send(text);
      }
    }
    await sleep(TICK_MS);
  }
  for (const socket of sockets) socket.terminate();
  return report;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
