import { isIP } from 'node:net';
import type { HttpResponse } from './uws.ts';

const MAPPED_V4 = Buffer.from('00000000000000000000ffff', 'hex');

/** 4 or 16 bytes: an address of IPv4 or IPv6. Empty: unknown. */
export type AddressBytes = Buffer;

/** An IPv4 address unchanged, also inside IPv6; the first half of an IPv6 address, because one subscriber has all of the rest. */
export function addressOf(res: Pick<HttpResponse, 'getRemoteAddress'>): string {
  return addressKey(bytesOf(res.getRemoteAddress()));
}

/** The same text for the same peer. */
export function addressKey(bytes: AddressBytes): string {
  return (bytes.length === 16 ? bytes.subarray(0, 8) : bytes).toString('latin1');
}

/** @param address as uWebSockets gives it. IPv4 inside IPv6 becomes IPv4 */
export function bytesOf(address: ArrayBuffer): AddressBytes {
  const bytes = Buffer.from(address);
  return bytes.length === 16 && bytes.subarray(0, 12).equals(MAPPED_V4) ? bytes.subarray(12) : bytes;
}

/** For people, and for Node's BlockList: all eight groups of an IPv6 address. */
export function addressText(bytes: AddressBytes): string {
  if (bytes.length !== 16) return bytes.join('.');
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':');
}

/** As in X-Forwarded-For: with or without a port, and IPv6 with or without brackets. @returns undefined: it is no address */
export function parseAddress(text: string): AddressBytes | undefined {
  const trimmed = text.trim();
  const [, inBrackets = trimmed] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed) ?? [];
  const [, withoutPort = inBrackets] = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(inBrackets) ?? [];
  switch (isIP(withoutPort)) {
    case 4:
      return Buffer.from(withoutPort.split('.').map(Number));
    case 6:
      return withoutPort.includes('%') ? undefined : parseV6(withoutPort);
    default:
      return undefined;
  }
}

/** @param text a valid IPv6 address without a zone */
function parseV6(text: string): AddressBytes {
  const hex = text.replace(/\d+\.\d+\.\d+\.\d+$/, (v4) => {
    const [a = 0, b = 0, c = 0, d = 0] = v4.split('.').map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [before = '', after] = hex.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const head = groups(before);
  const tail = groups(after ?? '');
  const bytes = Buffer.alloc(16);
  [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail].forEach((group, i) => {
    bytes.writeUInt16BE(group, 2 * i);
  });
  return bytesOf(Uint8Array.from(bytes).buffer);
}
