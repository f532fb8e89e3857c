const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const MINUS = 0x2d;

/** A number of JSON: sign, integer, fraction, exponent. */
const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** So many digits, without an exponent, fit into any double. */
const SAFE_DIGITS = 15;
/** No double needs a longer text. */
const TEXT_LENGTH_MAX = 400;

/**
 * The same JSON text with quotes around the numbers that a double would change, see {@link isInexact}. One pass over the bytes; `bytes` itself if there is no such
 * number. Text that is not JSON stays text that is not JSON.
 */
export function quoteInexactNumbers(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1);
      continue;
    }
    if (byte !== MINUS && !isDigit(byte)) continue;
    const end = endOfNumber(bytes, at + 1);
    if (mayBeInexact(bytes, at, end) && isInexact(text.toString('latin1', at, end)) && !isName(bytes, end)) {
      parts.push(bytes.subarray(copied, at), MARK, bytes.subarray(at, end), MARK);
      copied = end;
    }
    at = end - 1;
  }
  return copied === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(copied)]);
}

const MARK = Uint8Array.of(QUOTE);

/**
 * Whether a number of a JSON text would be another one, or look like another one, after a double has held it: an integer beyond ±(2^53 − 1), a fraction that
 * ends in 0, more digits than a double keeps, or a value beyond its range.
 */
export function isInexact(text: string): boolean {
  const match = NUMBER.exec(text);
  if (match === null) return false;
  if (text.length > TEXT_LENGTH_MAX) return true;
  const [, , whole = '', fraction, exponent] = match;
  const value = Number(text);
  if (fraction === undefined && exponent === undefined) return !Number.isSafeInteger(value);
  if (fraction?.endsWith('0') || !Number.isFinite(value)) return true;
  // As many digits as it takes to tell it from its neighbours.
  return plain(whole, fraction, exponent) !== plainOf(value);
}

/** Digits without zeros around them, and the power of ten of the last one: the same for texts of the same number, whatever its sign. */
function plain(whole: string, fraction = '', exponent = '0'): string {
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const short = digits.replace(/0+$/, '');
  return short === '' ? '0' : `${short}e${Number(exponent) - fraction.length + digits.length - short.length}`;
}

function plainOf(value: number): string {
  const [, , whole = '', fraction, exponent] = NUMBER.exec(`${value}`) ?? [];
  return plain(whole, fraction, exponent);
}

/** Cheaply: what is certainly a double is not looked at again. */
function mayBeInexact(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > SAFE_DIGITS) return true;
  let hasPoint = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if ((byte | 0x20) === 0x65) return true;
    hasPoint ||= byte === 0x2e;
  }
  return hasPoint && bytes[end - 1] === 0x30;
}

/** A number before a colon is not JSON; quotes would make it the name of a member. */
function isName(bytes: Uint8Array, end: number): boolean {
  let at = end;
  while (isSpace(bytes[at])) at++;
  return bytes[at] === COLON;
}

/** @returns the index of the quote that ends the string, or the end of the text */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** Past the end it is undefined, which ends a number. */
function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isOfNumber(bytes[at])) at++;
  return at;
}

function isOfNumber(byte = 0): boolean {
  return isDigit(byte) || byte === 0x2e || byte === MINUS || byte === 0x2b || (byte | 0x20) === 0x65;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isSpace(byte = 0): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
