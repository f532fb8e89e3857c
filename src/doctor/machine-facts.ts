import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { descriptorLimit } from '../transport/descriptors.ts';
import { loadUws } from '../transport/uws.ts';

/** What the machine is like. Undefined: it cannot be read here. */
export interface MachineFacts {
  readonly platform: string;
  readonly nodeVersion: string;
  /** Undefined: not glibc. */
  readonly glibc: string | undefined;
  readonly cores: number;
  readonly descriptors: number | undefined;
  /** Three numbers: minimum, default and maximum bytes of a socket's send buffer. */
  readonly tcpWmem: readonly number[] | undefined;
  /** Maximum length of a listen queue. */
  readonly somaxconn: number | undefined;
  /** The package of uWebSockets.js that loads, or why none does. */
  readonly uws: { readonly source: string } | { readonly error: string };
}

export async function readMachine(): Promise<MachineFacts> {
  const uws = await loadUws().then(
    ({ source }) => ({ source }),
    (error: Error) => ({ error: error.message }),
  );
  return {
    platform: process.platform,
    nodeVersion: process.version,
    glibc: glibcVersion(),
    cores: availableParallelism(),
    descriptors: descriptorLimit(),
    tcpWmem: numbersIn('/proc/sys/net/ipv4/tcp_wmem'),
    somaxconn: numbersIn('/proc/sys/net/core/somaxconn')?.[0],
    uws,
  };
}

function glibcVersion(): string | undefined {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
  if (report === undefined || process.platform !== 'linux') return undefined;
  // Otherwise it looks up the names of open connections.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

function numbersIn(path: string): number[] | undefined {
  try {
    return readFileSync(path, 'utf8').trim().split(/\s+/).map(Number);
  } catch {
    return undefined;
  }
}
