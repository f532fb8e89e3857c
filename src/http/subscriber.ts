import { isIPv6 } from 'node:net';

const MAPPED_V4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** An IPv4 address unchanged, also inside IPv6; the first half of an IPv6 address, because one subscriber has all of the rest. @param address of a socket */
export function subscriberOf(address: string | undefined): string {
  if (address === undefined || !isIPv6(address)) return address ?? '';
  const [, v4] = MAPPED_V4.exec(address) ?? [];
  if (v4 !== undefined) return v4;
  const [left = '', right] = (address.split('%')[0] as string).split('::');
  const groups = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? [] : Array<string>(Math.max(0, 8 - groups.length - after.length)).fill('0');
  return [...groups, ...zeros, ...after].slice(0, 4).join(':');
}
