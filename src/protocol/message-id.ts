import type { Encoding } from './codec.ts';

/**
 * The `id` of a message that its decoder refused, so that the answer can have it. Undefined if there is none, or if what precedes it is invalid. It walks
 * without recursion and builds nothing of the message, which may have been refused because of its cost.
 */
export function findMessageId(encoding: Encoding, bytes: Uint8Array): number | undefined {
  const id = encoding === 'json' ? findInJson(bytes) : findInMsgpack(bytes);
  return id !== undefined && Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

/** Matches whole strings, brackets, and (for keys and ids) what lies between them. */
const JSON_TOKENS = /"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g;
const DIGITS = /^\d{1,16}$/;

function findInJson(bytes: Uint8Array): number | undefined {
  let depth = 0;
  let [beforeLast, last] = ['', ''];
  for (const [token] of new TextDecoder().decode(bytes).matchAll(JSON_TOKENS)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && last === ':' && beforeLast === '"id"' && DIGITS.test(token)) return Number(token);
    [beforeLast, last] = [last, token];
  }
  return undefined;
}

function findInMsgpack(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    let { at, children } = header(view, 0);
    if (!isMap(view.getUint8(0))) return undefined;
    for (; children > 0; children -= 2) {
      const isId = view.getUint8(at) === 0xa2 && view.getUint16(at + 1) === 0x6964;
      at = skip(view, at);
      if (isId) return unsignedInteger(view, at);
      at = skip(view, at);
    }
  } catch {
    // Truncated.
  }
  return undefined;
}

function isMap(head: number): boolean {
  return (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf;
}

function unsignedInteger(view: DataView, at: number): number | undefined {
  const head = view.getUint8(at);
  if (head <= 0x7f) return head;
  switch (head) {
    case 0xcb:
      return view.getFloat64(at + 1);
    case 0xcc:
      return view.getUint8(at + 1);
    case 0xcd:
      return view.getUint16(at + 1);
    case 0xce:
      return view.getUint32(at + 1);
    case 0xcf:
    case 0xd3:
      return Number(view.getBigUint64(at + 1));
    default:
      return undefined;
  }
}

/** @returns the index just after the value at `start`. @throws RangeError if it is truncated */
function skip(view: DataView, start: number): number {
  let at = start;
  for (let values = 1; values > 0; values--) {
    const value = header(view, at);
    at = value.at;
    values += value.children;
  }
  return at;
}

/** Bytes after the head byte of the types from 0xca (float 32) to 0xd8 (fixext 16). */
const FIXED_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17];

/** @returns how many values this one contains, and the index of the first; for a value without any, the index just after it */
function header(view: DataView, start: number): { at: number; children: number } {
  const head = view.getUint8(start);
  const at = start + 1;
  if (head <= 0x7f || head >= 0xe0) return { at, children: 0 };
  if (head <= 0x8f) return { at, children: (head & 0x0f) * 2 };
  if (head <= 0x9f) return { at, children: head & 0x0f };
  if (head <= 0xbf) return { at: at + (head & 0x1f), children: 0 };
  if (head <= 0xc3) return { at, children: 0 };
  if (head <= 0xc6) return afterLength(view, at, head - 0xc4);
  // The type of an ext follows its length.
  if (head <= 0xc9) return afterLength(view, at, head - 0xc7, 1);
  if (head <= 0xd8) return { at: at + (FIXED_BYTES[head - 0xca] as number), children: 0 };
  if (head <= 0xdb) return afterLength(view, at, head - 0xd9);
  const isLong = head === 0xdd || head === 0xdf;
  const length = isLong ? view.getUint32(at) : view.getUint16(at);
  return { at: at + (isLong ? 4 : 2), children: isMap(head) ? length * 2 : length };
}

/** @param size 0, 1, 2: the length takes one, two or four bytes */
function afterLength(view: DataView, at: number, size: number, extra = 0): { at: number; children: number } {
  const length = size === 0 ? view.getUint8(at) : size === 1 ? view.getUint16(at) : view.getUint32(at);
  return { at: at + (1 << size) + length + extra, children: 0 };
}
