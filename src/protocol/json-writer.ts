/** How to write an integer that a double may not represent. */
export type BigintStyle =
  /** A string of digits: for clients, because most would parse a number as a double. */
  | 'text'
  /** A number with all its digits: between this server and producers, who wrote it so. */
  | 'digits';

/**
 * Converts a value from a decoder or {@link toWireValue} to JSON. Unlike JSON.stringify (and faster than it with a replacer): bytes become base64, bigints as
 * `bigints` says, and a double that is a large integer has an exponent (`1e+20`), so that a reader with exact integers parses it as a double, and a reader that
 * keeps digits does not take zeros for digits that somebody wrote.
 */
export function stringifyJson(value: unknown, bigints: BigintStyle = 'text'): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return number(value);
    case 'bigint':
      return bigints === 'text' ? `"${value}"` : `${value}`;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : object(value, bigints);
    default:
      return 'null';
  }
}

/** From here on JavaScript writes an exponent. */
const EXPONENT_FROM = 1e21;

function number(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  const isLarge = Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < EXPONENT_FROM;
  return isLarge ? value.toExponential() : `${value}`;
}

function object(value: object, bigints: BigintStyle): string {
  if (Array.isArray(value)) return list(value, bigints);
  if (ArrayBuffer.isView(value)) return `"${toBase64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))}"`;
  if (value instanceof Date) return JSON.stringify(value);
  let text = '';
  // Not entries(), which is a third slower.
  for (const key of Object.keys(value)) {
    const child = (value as Record<string, unknown>)[key];
    if (child !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${stringifyJson(child, bigints)}`;
  }
  return `{${text}}`;
}

function list(values: readonly unknown[], bigints: BigintStyle): string {
  let text = '';
  for (let i = 0; i < values.length; i++) text += i === 0 ? stringifyJson(values[i], bigints) : `,${stringifyJson(values[i], bigints)}`;
  return `[${text}]`;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x2000) text += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  return btoa(text);
}
