import { frame } from './frame-peer.ts';

const [CONTINUES, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const;

/** What comes back: `pong <payload>` for a frame, `answer <t>` for a message, `error <code>`. */
export type Answer = string;

export interface Case {
  /** Of Autobahn's test suite. */
  readonly id: string;
  readonly what: string;
  /** Frames; or an answer that is waited for. */
  readonly send: readonly (Buffer | Answer)[];
  /** Bytes of a write; default: all frames in one. `frame`: each frame in one. */
  readonly chop?: number | 'frame';
  /** In this order. */
  readonly answers?: readonly Answer[];
  /**
   * `open`: it goes on. `cut`: it ends at once without a close frame, and what was answered before may be lost. `closed`: it ends with a close frame, which has
   * a code if that is named.
   */
  readonly end: 'open' | 'cut' | 'closed' | `closed ${number}`;
}

/** A message that is answered with `answer <t>`, of so many bytes. */
export function message(t: number, bytes = 0): string {
  return JSON.stringify({ type: 'ping', t }).padEnd(bytes);
}

export function closeFrame(code?: number, reason: string | Uint8Array = ''): Buffer {
  if (code === undefined) return frame(CLOSE);
  return frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]));
}

/** In two parts, or in more. */
function fragments(opcode: number, text: string, size = Math.ceil(text.length / 2)): Buffer[] {
  const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
  return parts.map((part, i) => frame(i === 0 ? opcode : CONTINUES, part, { fin: i === parts.length - 1 }));
}

const one = message(1);
const answers = ['answer 1'];
const noEnd = { fin: false };

const framing = (group: string, opcode: number, name: string): Case[] => [
  { id: `${group}.1`, what: `an empty ${name}`, send: [frame(opcode)], answers: ['error bad_message'], end: 'open' },
  ...[125, 126, 127, 128, 65_535, 65_536].map((bytes, i): Case => {
    return { id: `${group}.${i + 2}`, what: `a ${name} of ${bytes} bytes`, send: [frame(opcode, message(1, bytes))], answers, end: 'open' };
  }),
  {
    id: `${group}.8`,
    what: `a ${name} in pieces of 997 bytes`,
    send: [frame(opcode, message(1, 65_536))],
    chop: 997,
    answers,
    end: 'open',
  },
];

const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
const pings: Case[] = [
  { id: '2.1', what: 'a ping', send: [frame(PING)], answers: ['pong '], end: 'open' },
  { id: '2.2', what: 'a ping with a text', send: [frame(PING, 'Hello, world!')], answers: ['pong Hello, world!'], end: 'open' },
  { id: '2.3', what: 'a ping with bytes', send: [frame(PING, Buffer.from([0, 255, 254, 253]))], answers: ['pong \u0000ÿþý'], end: 'open' },
  { id: '2.4', what: 'a ping of 125 bytes', send: [frame(PING, 'x'.repeat(125))], answers: [`pong ${'x'.repeat(125)}`], end: 'open' },
  { id: '2.5', what: 'a ping of 126 bytes', send: [frame(PING, 'x'.repeat(126))], end: 'cut' },
  {
    id: '2.6',
    what: 'a ping byte by byte',
    send: [frame(PING, 'x'.repeat(125))],
    chop: 1,
    answers: [`pong ${'x'.repeat(125)}`],
    end: 'open',
  },
  { id: '2.7', what: 'a pong', send: [frame(PONG)], end: 'open' },
  { id: '2.8', what: 'a pong with a text', send: [frame(PONG, 'unsolicited')], end: 'open' },
  { id: '2.9', what: 'a pong, then a ping', send: [frame(PONG, 'unsolicited'), frame(PING, 'p')], answers: ['pong p'], end: 'open' },
  ...([undefined, 1] as const).map((chop, i): Case => {
    const send = ten.map((payload) => frame(PING, payload));
    return {
      id: `2.${10 + i}`,
      what: 'ten pings',
      send,
      ...(chop && { chop }),
      answers: ten.map((payload) => `pong ${payload}`),
      end: 'open',
    };
  }),
];

const reserved: Case[] = [
  { id: '3.1', what: 'a text with RSV 1', send: [frame(TEXT, one, { rsv: 1 })], end: 'cut' },
  ...([undefined, 'frame', 1] as const).map((chop, i): Case => {
    const rsv = 2 + i;
    const send = [frame(TEXT, one), frame(TEXT, one, { rsv }), frame(PING)];
    return { id: `3.${2 + i}`, what: `a text, one with RSV ${rsv}, a ping`, send, ...(chop && { chop }), answers, end: 'cut' };
  }),
  { id: '3.5', what: 'bytes with RSV 5', send: [frame(BINARY, one, { rsv: 5 })], end: 'cut' },
  { id: '3.6', what: 'a ping with RSV 6', send: [frame(PING, 'p', { rsv: 6 })], end: 'cut' },
  { id: '3.7', what: 'a close with RSV 7', send: [frame(CLOSE, '', { rsv: 7 })], end: 'cut' },
];

const opcodes: Case[] = [
  [3, 4, 5, 6, 7],
  [11, 12, 13, 14, 15],
].flatMap((unknown, group) =>
  unknown.map((opcode, i): Case => {
    const strange = frame(opcode, i % 2 === 0 ? '' : 'x');
    const later = i === 2 || i === 3;
    const send = later ? [frame(TEXT, one), strange, frame(PING)] : [strange, frame(PING)];
    return {
      id: `4.${group + 1}.${i + 1}`,
      what: `opcode ${opcode}`,
      send,
      ...(i === 4 && { chop: 1 }),
      ...(later && { answers }),
      end: 'cut',
    };
  }),
);

const [begin, end] = fragments(TEXT, one) as [Buffer, Buffer];
const five = fragments(TEXT, one, Math.ceil(one.length / 5)) as [Buffer, Buffer, Buffer, Buffer, Buffer];
const nothingToContinue = (id: string, fin: boolean, chop?: 1 | 'frame'): Case => {
  return {
    id,
    what: `a continuation of nothing, fin ${fin}`,
    send: [frame(CONTINUES, 'x', { fin }), frame(TEXT, one)],
    ...(chop && { chop }),
    end: 'cut',
  };
};
const fragmentation: Case[] = [
  { id: '5.1', what: 'a ping in two', send: [frame(PING, 'a', noEnd), frame(CONTINUES, 'b')], end: 'cut' },
  { id: '5.2', what: 'a pong in two', send: [frame(PONG, 'a', noEnd), frame(CONTINUES, 'b')], end: 'cut' },
  ...([undefined, 'frame', 1] as const).flatMap((chop, i): Case[] => [
    { id: `5.${3 + i}`, what: 'a text in two', send: [begin, end], ...(chop && { chop }), answers, end: 'open' },
    {
      id: `5.${6 + i}`,
      what: 'a text in two, a ping between',
      send: [begin, frame(PING, 'between'), end],
      ...(chop && { chop }),
      answers: ['pong between', ...answers],
      end: 'open',
    },
  ]),
  nothingToContinue('5.9', true),
  nothingToContinue('5.10', true, 'frame'),
  nothingToContinue('5.11', true, 1),
  nothingToContinue('5.12', false),
  nothingToContinue('5.13', false, 'frame'),
  nothingToContinue('5.14', false, 1),
  {
    id: '5.15',
    what: 'a text in two, then a continuation',
    send: [begin, end, frame(CONTINUES, 'x', noEnd), frame(TEXT, one)],
    answers,
    end: 'cut',
  },
  { id: '5.16', what: 'a continuation, then a text in two', send: [frame(CONTINUES, 'x', noEnd), begin, end], end: 'cut' },
  { id: '5.17', what: 'an ended continuation, then a text in two', send: [frame(CONTINUES, 'x'), begin, end], end: 'cut' },
  { id: '5.18', what: 'a text in two, both with its opcode', send: [begin, frame(TEXT, 'x')], end: 'cut' },
  ...(['frame', 1] as const).map((chop, i): Case => {
    const send = [five[0], five[1], frame(PING, 'p1'), 'pong p1', five[2], five[3], frame(PING, 'p2'), 'pong p2', five[4]];
    return {
      id: `5.${19 + i}`,
      what: 'a text in five, pings and pauses between',
      send,
      chop,
      answers: ['pong p1', 'pong p2', ...answers],
      end: 'open',
    };
  }),
];

const closing: Case[] = [
  { id: '7.1.1', what: 'a text, then a close', send: [frame(TEXT, one), closeFrame(1000)], answers, end: 'closed 1000' },
  { id: '7.1.2', what: 'two closes', send: [closeFrame(1000), closeFrame(1000)], end: 'closed 1000' },
  { id: '7.1.3', what: 'a ping after a close', send: [closeFrame(1000), frame(PING)], end: 'closed 1000' },
  { id: '7.1.4', what: 'a text after a close', send: [closeFrame(1000), frame(TEXT, one)], end: 'closed 1000' },
  { id: '7.1.5', what: 'half a text, then a close', send: [begin, closeFrame(1000), end], end: 'closed 1000' },
  {
    id: '7.1.6',
    what: 'a large text, then a close',
    send: [frame(TEXT, message(1, 65_536)), closeFrame(1000), frame(PING)],
    answers,
    end: 'closed 1000',
  },
  { id: '7.3.1', what: 'a close without a code', send: [closeFrame()], end: 'closed' },
  { id: '7.3.2', what: 'a close with half a code', send: [frame(CLOSE, 'a')], end: 'closed' },
  { id: '7.3.3', what: 'a close with a code', send: [closeFrame(1000)], end: 'closed 1000' },
  { id: '7.3.4', what: 'a close with a reason', send: [closeFrame(1000, 'Hello World!')], end: 'closed 1000' },
  { id: '7.3.5', what: 'a close with a reason of 123 bytes', send: [closeFrame(1000, 'x'.repeat(123))], end: 'closed 1000' },
  { id: '7.3.6', what: 'a close with a reason of 124 bytes', send: [closeFrame(1000, 'x'.repeat(124))], end: 'cut' },
  { id: '7.5.1', what: 'a close whose reason is not UTF-8', send: [closeFrame(1000, Buffer.from('cebaeda0806564', 'hex'))], end: 'closed' },
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code, i): Case => {
    // Codes of libraries (3000 to 3999) are not sent back.
    const end = code >= 3000 && code < 4000 ? 'closed' : (`closed ${code}` as const);
    return { id: `7.7.${i + 1}`, what: `a close with ${code}`, send: [closeFrame(code)], end };
  }),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].map((code, i): Case => {
    return { id: `7.9.${i + 1}`, what: `a close with ${code}, which no peer may send`, send: [closeFrame(code)], end: 'closed' };
  }),
  ...[5000, 65_535].map((code, i): Case => {
    return { id: `7.13.${i + 1}`, what: `a close with ${code}`, send: [closeFrame(code)], end: 'closed' };
  }),
];

/** Autobahn's are of 64 KiB to 16 MiB; a node's limit is 64 KiB by default. */
const limits: Case[] = [TEXT, BINARY].flatMap((opcode, i): Case[] => [
  { id: `9.${1 + i}.1`, what: 'as large as allowed', send: [frame(opcode, message(1, 65_536))], answers, end: 'open' },
  { id: `9.${1 + i}.2`, what: 'a byte too large', send: [frame(opcode, message(1, 65_537))], end: 'closed 4005' },
  { id: `9.${1 + i}.3`, what: 'four times too large', send: [frame(opcode, message(1, 262_144))], end: 'cut' },
  ...[64, 256, 1024, 4096, 16_384].map((size, n): Case => {
    return {
      id: `9.${3 + i}.${n + 1}`,
      what: `in frames of ${size} bytes`,
      send: fragments(opcode, message(1, 65_536), size),
      answers,
      end: 'open',
    };
  }),
  {
    id: `9.${3 + i}.9`,
    what: 'a byte too large, in frames of 4096 bytes',
    send: fragments(opcode, message(1, 65_537), 4096),
    end: 'closed 4005',
  },
  ...[64, 256, 1024].map((chop, n): Case => {
    return {
      id: `9.${5 + i}.${n + 1}`,
      what: `in pieces of ${chop} bytes`,
      send: [frame(opcode, message(1, 65_536))],
      chop,
      answers,
      end: 'open',
    };
  }),
]);

export const CASES: readonly Case[] = [
  ...framing('1.1', TEXT, 'text'),
  ...framing('1.2', BINARY, 'message of bytes'),
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragmentation,
  ...closing,
  ...limits,
  { id: '10.1.1', what: 'a text in frames of 1300 bytes', send: fragments(TEXT, message(1, 65_536), 1300), answers, end: 'open' },
];
