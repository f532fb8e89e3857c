import type { HttpResponse } from './uws.ts';

const MAPPED_V4 = Buffer.from('00000000000000000000ffff', 'hex');

/** An IPv4 address unchanged, also inside IPv6; the first half of an IPv6 address, because one subscriber has all of the rest. */
export function addressOf(res: Pick<HttpResponse, 'getRemoteAddress'>): string {
  const bytes = Buffer.from(res.getRemoteAddress());
  if (bytes.length !== 16) return bytes.toString('latin1');
  return (bytes.subarray(0, 12).equals(MAPPED_V4) ? bytes.subarray(12) : bytes.subarray(0, 8)).toString('latin1');
}
