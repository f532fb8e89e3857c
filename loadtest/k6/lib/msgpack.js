/**
 * As much of MessagePack as the protocol needs, for runtimes without packages: k6's has neither npm nor TextDecoder. Shared by both suites.
 */

/** How many arguments one call may have, with room to spare. */
const ARGUMENTS_MAX = 8192;
const NOT_ASCII = /[\x80-\xff]/;
const TEXTS = new Map();
const TEXTS_MAX = 1000;
const TEXT_LENGTH_MAX = 256;

/** @param {unknown} value null, booleans, numbers, strings, arrays and plain objects @returns {Uint8Array} */
export function encode(value) {
  const bytes = [];
  write(bytes, value);
  return new Uint8Array(bytes);
}

/** The message being read: in the module and not in an object, which costs k6 a third of the time. */
let bytes;
let view;
let at = 0;
let raw;

/** @param {ArrayBuffer | Uint8Array} buffer one value @returns {any} maps as objects, bin as Uint8Array, ext as null */
export function decode(buffer) {
  bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  at = 0;
  raw = undefined;
  return read();
}

function write(bytes, value) {
  if (value === null || value === undefined) bytes.push(0xc0);
  else if (typeof value === 'boolean') bytes.push(value ? 0xc3 : 0xc2);
  else if (typeof value === 'number') writeNumber(bytes, value);
  else if (typeof value === 'string') writeText(bytes, value);
  else if (Array.isArray(value)) {
    writeHead(bytes, value.length, 0x90, 16, 0xdc);
    for (const item of value) write(bytes, item);
  } else {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    writeHead(bytes, entries.length, 0x80, 16, 0xde);
    for (const [key, item] of entries) {
      writeText(bytes, key);
      write(bytes, item);
    }
  }
}

function writeHead(bytes, length, small, smallMax, code16) {
  if (length < smallMax) bytes.push(small | length);
  else if (length < 65_536) bytes.push(code16, length >> 8, length & 255);
  else throw new Error(`more than 65,535 entries: ${length}`);
}

function writeNumber(bytes, value) {
  if (Number.isInteger(value) && value >= 0 && value < 128) return bytes.push(value);
  // Everything else as a double: exact for every number that JavaScript has.
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  bytes.push(0xcb);
  for (let i = 0; i < 8; i++) bytes.push(view.getUint8(i));
}

function writeText(bytes, text) {
  const utf8 = toUtf8(text);
  if (utf8.length < 32) bytes.push(0xa0 | utf8.length);
  else if (utf8.length < 256) bytes.push(0xd9, utf8.length);
  else if (utf8.length < 65_536) bytes.push(0xda, utf8.length >> 8, utf8.length & 255);
  else throw new Error(`a text of more than 65,535 bytes: ${utf8.length}`);
  for (const byte of utf8) bytes.push(byte);
}

function toUtf8(text) {
  const bytes = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}

function read() {
  const head = bytes[at++];
  if (head === undefined) throw new Error('the message ends too early');
  if (head < 0x80) return head;
  if (head < 0x90) return readMap(head & 15);
  if (head < 0xa0) return readList(head & 15);
  if (head < 0xc0) return readText(head & 31);
  if (head >= 0xe0) return head - 256;
  const special = SPECIAL[head];
  if (special === undefined) throw new Error(`no such MessagePack type: ${head}`);
  return special();
}

/** Reads an unsigned or signed integer, or a float, of so many bytes. */
const number = (method, size) => () => {
  const value = view[method](at);
  at += size;
  return value;
};
const u8 = number('getUint8', 1);
const u16 = number('getUint16', 2);
const u32 = number('getUint32', 4);
const i32 = number('getInt32', 4);

const SPECIAL = {
  192: () => null,
  194: () => false,
  195: () => true,
  196: () => readBytes(u8()),
  197: () => readBytes(u16()),
  198: () => readBytes(u32()),
  199: () => skipExt(u8()),
  200: () => skipExt(u16()),
  201: () => skipExt(u32()),
  202: number('getFloat32', 4),
  203: number('getFloat64', 8),
  204: u8,
  205: u16,
  206: u32,
  207: () => u32() * 4_294_967_296 + u32(),
  208: number('getInt8', 1),
  209: number('getInt16', 2),
  210: i32,
  211: () => i32() * 4_294_967_296 + u32(),
  212: () => skipExt(1),
  213: () => skipExt(2),
  214: () => skipExt(4),
  215: () => skipExt(8),
  216: () => skipExt(16),
  217: () => readText(u8()),
  218: () => readText(u16()),
  219: () => readText(u32()),
  220: () => readList(u16()),
  221: () => readList(u32()),
  222: () => readMap(u16()),
  223: () => readMap(u32()),
};

function readBytes(length) {
  const taken = bytes.subarray(at, at + length);
  if (taken.length < length) throw new Error('the message ends too early');
  at += length;
  return taken;
}

function skipExt(length) {
  readBytes(length + 1);
  return null;
}

function readList(length) {
  const list = [];
  for (let i = 0; i < length; i++) list.push(read());
  return list;
}

function readMap(length) {
  const map = {};
  for (let i = 0; i < length; i++) {
    const key = read();
    map[key] = read();
  }
  return map;
}

/**
 * Texts repeat (every field's name), and k6's runtime is slow at everything but its own functions: the whole message is made a string once, a
 * text is a slice of that, and what a slice reads as is remembered.
 */
function readText(length) {
  if (at + length > bytes.length) throw new Error('the message ends too early');
  raw ??= rawText();
  const slice = raw.slice(at, at + length);
  at += length;
  return TEXTS.get(slice) ?? remember(slice);
}

function remember(slice) {
  const text = NOT_ASCII.test(slice) ? decodeURIComponent(escape(slice)) : slice;
  if (TEXTS.size < TEXTS_MAX && slice.length <= TEXT_LENGTH_MAX) TEXTS.set(slice, text);
  return text;
}

/** One character a byte. */
function rawText() {
  let text = '';
  for (let from = 0; from < bytes.length; from += ARGUMENTS_MAX) {
    text += String.fromCharCode.apply(null, bytes.subarray(from, from + ARGUMENTS_MAX));
  }
  return text;
}
