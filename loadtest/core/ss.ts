import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Kernel memory of sockets, from `ss -tmn`: `skmem:(r0,rb131072,t0,tb2626560,f0,w0,o0,bl0,d0)`, where r is what waits to be read, w what
 * waits to be sent, f what is set aside, o options. The limits (rb, tb) and the backlog are no memory in use.
 */
export function sumSkmemBytes(text: string): number {
  let total = 0;
  for (const match of text.matchAll(/skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),o(\d+)/g)) {
    total += Number(match[1]) + Number(match[2]) + Number(match[3]) + Number(match[4]);
  }
  return total;
}

/** Of the established connections to this local port: the server's side. */
export async function kernelBytesOfPort(port: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ss', ['-tmnH', 'state', 'established', `( sport = :${port} )`], { maxBuffer: 2 ** 28 });
  return sumSkmemBytes(stdout);
}
