import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { nowUs } from '../../src/bench/clock.ts';
import { serveCalls } from '../core/rpc.ts';
import type { ConnectReport, SwarmSettings, WindowReport } from './settings.ts';
import { Swarm } from './swarm.ts';
import { Tally } from './tally.ts';

/** How often the end of a window is looked for: short against a window, long against the work of looking. */
const POLL_MS = 20;
/** The same where a connection has many topics to look at. */
const WATCH_POLL_MS = 200;

let swarm: Swarm | undefined;
let windowStart = { atUs: 0, cpu: process.cpuUsage() };

function running(): Swarm {
  if (swarm === undefined) throw new Error('connect first');
  return swarm;
}

function connect(settings: SwarmSettings): Promise<ConnectReport> {
  const made = new Swarm(settings);
  swarm = made;
  return joined(made, () => made.connect());
}

/** The same connections again, to another port, each with the positions that it had; those before have been closed. */
function reconnect({ port }: { port: number }): Promise<ConnectReport> {
  const before = running();
  before.destroy();
  const made = new Swarm({ ...before.settings, port, later: false }, before.positions);
  swarm = made;
  return joined(made, () => made.connect());
}

async function joined(swarm: Swarm, join: () => Promise<void>): Promise<ConnectReport> {
  const startUs = nowUs();
  await join();
  const joins = [...swarm.joinUs].filter((us) => us > 0).sort((a, b) => a - b);
  const at = (share: number) => (joins[Math.min(joins.length - 1, Math.floor(joins.length * share))] ?? 0) / 1000;
  const joinMs = { p50: at(0.5), p99: at(0.99), max: at(1) };
  return { ready: swarm.ready, closed: swarm.closed, refusal: swarm.refusal, elapsedMs: (nowUs() - startUs) / 1000, joinMs };
}

function openWindow({ sequence }: { sequence: number }): void {
  running().tally.openWindow(sequence);
  windowStart = { atUs: nowUs(), cpu: process.cpuUsage() };
}

/** Resolves when every connection has everything before `sequence`, or when nothing has come for `idleMs`. */
async function closeWindow({ sequence, idleMs, first = 0 }: { sequence: number; idleMs: number; first?: number }): Promise<WindowReport> {
  const { tally, settings } = running();
  const pollMs = settings.watch === undefined ? POLL_MS : WATCH_POLL_MS;
  let delivered = tally.delivered;
  let changedAtUs = nowUs();
  while (tally.behind(sequence, first) > 0) {
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    if (tally.delivered === delivered && nowUs() - changedAtUs > idleMs * 1000) break;
    if (tally.delivered !== delivered) changedAtUs = nowUs();
    delivered = tally.delivered;
  }
  return report(tally.behind(sequence, first));
}

function report(behind: number): WindowReport {
  const { tally, closed, refusal } = running();
  const cpu = process.cpuUsage(windowStart.cpu);
  const cpuShare = (cpu.user + cpu.system) / (nowUs() - windowStart.atUs);
  const { delivered, frames, skipped, repeated, stray } = tally;
  return {
    delivered,
    frames,
    skipped,
    repeated,
    stray,
    behind,
    closed,
    refusal,
    cpuShare,
    latency: encodeIntoCompressedBase64(tally.latency),
  };
}

serveCalls(
  {
    connect,
    subscribe: () => joined(running(), () => running().subscribe()),
    reconnect,
    openWindow,
    closeWindow,
    churn: ({ durationMs }: { durationMs: number }) => running().churn(durationMs),
    pause: ({ first, count }: { first: number; count: number }) => running().pause(first, count),
    resume: ({ first, count }: { first: number; count: number }) => running().resume(first, count),
    /** How slow readers ended: their state per key, and what they were told. */
    slowReport: ({ first, count, keys }: { first: number; count: number; keys: number }) => {
      const { tally, lagged, ready } = running();
      if (!(tally instanceof Tally)) throw new Error('a watchlist has no keys');
      const states = Array.from({ length: count }, (_, i) => [...tally.lastByKey.subarray((first + i) * keys, (first + i + 1) * keys)]);
      return { states, lagged: [...lagged.subarray(first, first + count)], ready };
    },
  },
  () => swarm?.destroy(),
);
