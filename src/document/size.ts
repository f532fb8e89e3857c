import { isMap } from './value.ts';

/** What a part of a document takes: bytes in MessagePack, and members of maps and elements of lists, at all levels. */
export interface Size {
  readonly bytes: number;
  readonly fields: number;
}

/** Bytes of MessagePack's head of a map or list. */
export function headBytes(count: number): number {
  return count < 16 ? 1 : count < 65_536 ? 3 : 5;
}

/** As msgpackr writes it. @param value from a decoder */
export function sizeOf(value: unknown): Size {
  if (Array.isArray(value)) return sum(value, headBytes(value.length), value.length);
  if (!isMap(value)) return { bytes: scalarBytes(value), fields: 0 };
  const names = Object.keys(value);
  let bytes = headBytes(names.length);
  let fields = names.length;
  for (const name of names) {
    const size = sizeOf(value[name]);
    bytes += textBytes(name) + size.bytes;
    fields += size.fields;
  }
  return { bytes, fields };
}

function sum(values: readonly unknown[], head: number, count: number): Size {
  let bytes = head;
  let fields = count;
  for (const value of values) {
    const size = sizeOf(value);
    bytes += size.bytes;
    fields += size.fields;
  }
  return { bytes, fields };
}

/** Of a text with its head. */
export function textBytes(text: string): number {
  const length = utf8Length(text);
  return length + (length < 32 ? 1 : length < 256 ? 2 : length < 65_536 ? 3 : 5);
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Each half of a pair is counted as two of its four bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}

function scalarBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return textBytes(value);
    case 'number':
      return numberBytes(value);
    case 'bigint':
      return 9;
    case 'object':
      return value === null ? 1 : binaryBytes(value);
    default:
      return 1;
  }
}

function numberBytes(value: number): number {
  if (!Number.isInteger(value)) return 9;
  if (value < 0) return negativeBytes(value);
  return value < 0x80 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : value < 0x100000000 ? 5 : 9;
}

function negativeBytes(value: number): number {
  return value >= -0x20 ? 1 : value >= -0x80 ? 2 : value >= -0x8000 ? 3 : value >= -0x80000000 ? 5 : 9;
}

/** Bytes; or a time, or an extension, as the longest time. */
function binaryBytes(value: object): number {
  if (!ArrayBuffer.isView(value)) return 15;
  const { byteLength } = value;
  return byteLength + (byteLength < 256 ? 2 : byteLength < 65_536 ? 3 : 5);
}
