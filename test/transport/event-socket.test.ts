import { expect, it } from 'vitest';
import { EventSocket } from '../../src/transport/event-socket.ts';
import type { HttpResponse } from '../../src/transport/uws.ts';

const CONNECTED = Buffer.from('{"type":"connected"}');

/** An answer whose socket takes everything, or not. */
function begun() {
  const answer = { takesAll: true, onWritable: () => true, isClosed: false };
  const res = {
    onAborted: () => res,
    onWritable(handler: () => boolean) {
      answer.onWritable = handler;
      return res;
    },
    cork: (work: () => void) => work(),
    writeStatus: () => res,
    writeHeader: () => res,
    write: () => answer.takesAll,
    close() {
      answer.isClosed = true;
    },
  };
  const seen: string[] = [];
  const socket = new EventSocket({
    res: res as unknown as HttpResponse,
    headers: {},
    fullBytes: 1000,
    events: {
      dropped: () => void seen.push('dropped'),
      drained: () => void seen.push('drained'),
      closed: (code) => void seen.push(`closed ${code}`),
      refused: (status) => void seen.push(`refused ${status}`),
      full: (isFull) => void seen.push(isFull ? 'full' : 'free'),
    },
  });
  socket.send(CONNECTED, false);
  return { socket, answer, seen };
}

it('a peer that reads a part of what waits is alive, and the rest still waits', () => {
  const { socket, answer, seen } = begun();
  answer.takesAll = false;
  socket.send(Buffer.from('{"type":"batch"}'), false);
  const waiting = socket.bufferedBytes;
  answer.onWritable();
  expect(seen).toEqual(['full', 'drained']);
  expect(socket.bufferedBytes).toBe(waiting);
  answer.takesAll = true;
  answer.onWritable();
  expect(seen).toEqual(['full', 'drained', 'free', 'drained']);
  expect(socket.bufferedBytes).toBe(0);
});

it('a silent peer is cut as too slow if something waits for its socket, and as vanished otherwise', () => {
  const full = begun();
  full.answer.takesAll = false;
  full.socket.send(Buffer.from('{"type":"batch"}'), false);
  full.socket.cut();
  expect([full.seen.at(-1), full.answer.isClosed]).toEqual(['closed 4103', true]);
  const silent = begun();
  silent.socket.cut();
  expect([silent.seen.at(-1), silent.answer.isClosed]).toEqual(['closed 1006', true]);
});
