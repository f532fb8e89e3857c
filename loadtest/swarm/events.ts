import type { FrameSink } from '../../src/bench/frames.ts';
import type { UpgradeAnswer } from '../../src/bench/handshake.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const END = Buffer.from('\n\n');
const DATA = Buffer.from('data: ');

/**
 * Walks the whole events of a stream (SSE) in [start, end) and returns where the first incomplete one begins. The server writes whole events at once, so the
 * heads of HTTP chunks lie between them, before their first line.
 */
export function walkEvents(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
  let at = start;
  for (;;) {
    const close = bytes.indexOf(END, at);
    if (close < 0 || close + END.length > end) return at;
    const data = bytes.indexOf(DATA, at);
    if (data >= 0 && data < close) sink.data(bytes, data + DATA.length, close);
    at = close + END.length;
  }
}

export function streamRequest(host: string, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

export function readStreamAnswer(bytes: Buffer, length: number): UpgradeAnswer {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0 || end + HEAD_END.length > length) return { kind: 'partial' };
  const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
  if (!status.startsWith('HTTP/1.1 200')) return { kind: 'refused', status };
  return { kind: 'open', restAt: end + HEAD_END.length };
}
