import type { Config } from '../config/schema.ts';
import { counted, formatBytes } from '../telemetry/format.ts';
import { connectionsAllowed } from '../transport/descriptors.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import type { MachineFacts } from './machine-facts.ts';

/** One stalled socket with more takes memory that no process shows. */
const SEND_BUFFER_BYTES_MAX = 1_048_576;
/** Below it a few hundred clients use them up. */
const DESCRIPTORS_FEW = 10_000;

/** What is wrong with the machine for this config. Pure. */
export function judgeMachine(facts: MachineFacts, config: Pick<Config, 'limits' | 'workers' | 'tuning'>): Finding[] {
  return [runtime(facts), uws(facts), workers(facts, config), ...descriptors(facts, config), ...kernel(facts, config)];
}

function runtime({ platform, nodeVersion, glibc }: MachineFacts): Finding {
  const where = `Node.js ${nodeVersion} on ${platform}${glibc === undefined ? '' : ` with glibc ${glibc}`}`;
  if (platform !== 'linux')
    return warning('platform', where, 'Only Linux distributes connections over several workers: run production nodes on Linux');
  if (glibc !== undefined) return ok('platform', where);
  return problem('platform', `${where}, without glibc`, 'uWebSockets.js needs glibc: Alpine (musl) is not supported. Use Debian or Ubuntu');
}

function uws({ uws: found }: MachineFacts): Finding {
  if ('source' in found) return ok('uws', `uWebSockets.js loads from ${found.source}`);
  const [first = '', ...more] = found.error.split('\n');
  return problem('uws', first, more.map((line) => line.trim()).join('. '));
}

function workers({ cores }: MachineFacts, { workers: wanted }: Pick<Config, 'workers'>): Finding {
  const text = `${counted(wanted, 'worker')} on ${counted(cores, 'core')}`;
  if (wanted <= cores) return ok('workers', text);
  return warning('workers', text, `Set workers to at most ${cores}: more share cores, and wait for one another`);
}

function descriptors({ descriptors: limit }: MachineFacts, { limits }: Pick<Config, 'limits'>): Finding[] {
  if (limit === undefined) return [];
  const wanted = limits.connectionsPerWorkerMax;
  const allowed = connectionsAllowed(wanted, limit);
  const text = `${limit} open files per process: ${allowed} connections of a worker (limits.connectionsPerWorkerMax is ${wanted})`;
  if (allowed >= wanted) return [ok('descriptors', text)];
  const advice = `Raise the limit to ${wanted + 64} (LimitNOFILE= in systemd, ulimit -n in a shell, --ulimit nofile= in Docker), or lower limits.connectionsPerWorkerMax`;
  return [limit < DESCRIPTORS_FEW ? problem('descriptors', text, advice) : warning('descriptors', text, advice)];
}

function kernel({ tcpWmem, somaxconn }: MachineFacts, { tuning }: Pick<Config, 'tuning'>): Finding[] {
  const findings: Finding[] = [];
  const sendBufferMax = tcpWmem?.[2];
  if (sendBufferMax !== undefined) {
    const text = `the kernel buffers up to ${formatBytes(sendBufferMax)} for each socket (net.ipv4.tcp_wmem is ${tcpWmem?.join(' ')})`;
    const advice = 'Set net.ipv4.tcp_wmem="4096 16384 262144": 1,000 stalled phones otherwise take gigabytes that no process shows';
    findings.push(sendBufferMax <= SEND_BUFFER_BYTES_MAX ? ok('tcp_wmem', text) : warning('tcp_wmem', text, advice));
  }
  const { connectsWaitingMax } = tuning.connections;
  if (somaxconn !== undefined) {
    const text = `a listen queue has at most ${somaxconn} places (net.core.somaxconn)`;
    const advice = `Set net.core.somaxconn=${connectsWaitingMax} (tuning.connections.connectsWaitingMax): clients that come at the same time are otherwise dropped, and retry after a second`;
    findings.push(somaxconn >= connectsWaitingMax ? ok('somaxconn', text) : warning('somaxconn', text, advice));
  }
  return findings;
}
