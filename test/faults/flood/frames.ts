import net from 'node:net';
import { clientFrame, OPCODE, walkFrames } from '../../../src/bench/frames.ts';
import { readUpgradeAnswer, upgradeRequest } from '../../../src/bench/handshake.ts';
import { SUBPROTOCOLS } from '../../../src/protocol/codec.ts';
import { monoMs } from '../time.ts';
import type { FrameFlood, FramesReport, FramesSettings } from './settings.ts';

const CHUNK_FRAMES = 10_000;
const NO_BYTES = Buffer.alloc(0);
const FRAGMENT = Buffer.alloc(100, ' ');
const isFragments = (kind: FrameFlood) => kind === 'emptyFragments' || kind === 'fragments';

/** As many frames as fit one write. Of fragments the first begins a message that never ends: see {@link flood}. */
function chunkOf(kind: FrameFlood): Buffer {
  const opcode = { pongs: OPCODE.pong, pings: OPCODE.ping, emptyTexts: OPCODE.text, emptyFragments: 0, fragments: 0 }[kind];
  const frame = clientFrame(opcode, kind === 'fragments' ? FRAGMENT : NO_BYTES);
  if (isFragments(kind)) frame[0] = opcode;
  return Buffer.concat(Array.from({ length: CHUNK_FRAMES }, () => frame));
}

export async function frames({ port, frames: kind, seconds, again }: FramesSettings): Promise<FramesReport> {
  const report: FramesReport = { connections: 0, bytesOut: 0, closeCodes: {}, cutAfterMs: 0 };
  const chunk = chunkOf(kind);
  const endMs = monoMs() + seconds * 1000;
  const sockets = new Set<net.Socket>();
  const start = () => {
    if (monoMs() > endMs) return;
    sockets.add(flood(port, kind, chunk, report, () => again && start()));
  };
  start();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  for (const socket of sockets) socket.destroy();
  return report;
}

function flood(port: number, kind: FrameFlood, chunk: Buffer, report: FramesReport, onClose: () => void): net.Socket {
  // Half open: the server's FIN does not stop it.
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let open = false;
  let closedAtMs = 0;
  const pump = () => {
    do report.bytesOut += chunk.length;
    while (socket.write(chunk));
  };
  const closed = (code: string) => {
    if (closedAtMs > 0) return;
    closedAtMs = monoMs();
    report.closeCodes[code] = (report.closeCodes[code] ?? 0) + 1;
    onClose();
  };
  socket.on('connect', () => socket.write(upgradeRequest(`127.0.0.1:${port}`, '/ws', SUBPROTOCOLS.json, undefined)));
  socket.on('drain', pump);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    if (open && closedAtMs > 0) report.cutAfterMs = Math.max(report.cutAfterMs, monoMs() - closedAtMs);
    closed('cut');
  });
  socket.on('data', (bytes) => {
    if (!open) {
      const answer = readUpgradeAnswer(bytes, bytes.length);
      if (answer.kind === 'refused') socket.destroy();
      if (answer.kind !== 'open') return;
      open = true;
      report.connections++;
      if (isFragments(kind)) socket.write(Buffer.from([OPCODE.text, 0x80, 0, 0, 0, 0]));
      return pump();
    }
    // A close frame that is torn in two is not seen: then the cut is.
    walkFrames(bytes, 0, bytes.length, {
      data: () => undefined,
      ping: () => undefined,
      close: (frame, start) => closed(String(frame.readUInt16BE(start))),
    });
  });
  return socket;
}
