/**
 * As much of MessagePack as the protocol needs, for runtimes without packages: k6's has neither npm nor TextDecoder. Shared by both suites.
 */

/** How many arguments one call may have, with room to spare. */
const ARGUMENTS_MAX = 8192;
const NOT_ASCII = /[\x80-\xff]/;

/** @param {unknown} value null, booleans, numbers, strings, arrays and plain objects @returns {Uint8Array} */
export function encode(value) {
  const bytes = [];
  write(bytes, value);
  return new Uint8Array(bytes);
}

/** @param {ArrayBuffer | Uint8Array} buffer one value @returns {any} maps as objects, bin as Uint8Array, ext as null */
export function decode(buffer) {
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  const reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0 };
  return read(reader);
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

function read(reader) {
  const head = reader.bytes[reader.at++];
  if (head === undefined) throw new Error('the message ends too early');
  if (head < 0x80) return head;
  if (head < 0x90) return readMap(reader, head & 15);
  if (head < 0xa0) return readList(reader, head & 15);
  if (head < 0xc0) return readText(reader, head & 31);
  if (head >= 0xe0) return head - 256;
  const special = SPECIAL[head];
  if (special === undefined) throw new Error(`no such MessagePack type: ${head}`);
  return special(reader);
}

/** Reads an unsigned or signed integer, or a float, of so many bytes. */
const number = (method, size) => (reader) => {
  const value = reader.view[method](reader.at);
  reader.at += size;
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
  196: (reader) => readBytes(reader, u8(reader)),
  197: (reader) => readBytes(reader, u16(reader)),
  198: (reader) => readBytes(reader, u32(reader)),
  199: (reader) => skipExt(reader, u8(reader)),
  200: (reader) => skipExt(reader, u16(reader)),
  201: (reader) => skipExt(reader, u32(reader)),
  202: number('getFloat32', 4),
  203: number('getFloat64', 8),
  204: u8,
  205: u16,
  206: u32,
  207: (reader) => u32(reader) * 4_294_967_296 + u32(reader),
  208: number('getInt8', 1),
  209: number('getInt16', 2),
  210: i32,
  211: (reader) => i32(reader) * 4_294_967_296 + u32(reader),
  212: (reader) => skipExt(reader, 1),
  213: (reader) => skipExt(reader, 2),
  214: (reader) => skipExt(reader, 4),
  215: (reader) => skipExt(reader, 8),
  216: (reader) => skipExt(reader, 16),
  217: (reader) => readText(reader, u8(reader)),
  218: (reader) => readText(reader, u16(reader)),
  219: (reader) => readText(reader, u32(reader)),
  220: (reader) => readList(reader, u16(reader)),
  221: (reader) => readList(reader, u32(reader)),
  222: (reader) => readMap(reader, u16(reader)),
  223: (reader) => readMap(reader, u32(reader)),
};

function readBytes(reader, length) {
  const bytes = reader.bytes.subarray(reader.at, reader.at + length);
  if (bytes.length < length) throw new Error('the message ends too early');
  reader.at += length;
  return bytes;
}

function skipExt(reader, length) {
  readBytes(reader, length + 1);
  return null;
}

function readList(reader, length) {
  const list = [];
  for (let i = 0; i < length; i++) list.push(read(reader));
  return list;
}

function readMap(reader, length) {
  const map = {};
  for (let i = 0; i < length; i++) {
    const key = read(reader);
    map[key] = read(reader);
  }
  return map;
}

/** Through the runtime's own functions: a loop over characters is ten times slower in k6. */
function readText(reader, length) {
  const bytes = readBytes(reader, length);
  let raw = '';
  for (let at = 0; at < length; at += ARGUMENTS_MAX) raw += String.fromCharCode.apply(null, bytes.subarray(at, at + ARGUMENTS_MAX));
  return NOT_ASCII.test(raw) ? decodeURIComponent(escape(raw)) : raw;
}
