import { nowUs } from '../../src/bench/clock.ts';
import { type FeedPlan, publicationsIn, type TopicFeed } from '../core/feed.ts';
import { cpuSeconds, exactCpuSeconds, machineCpuSeconds, processName, processTree, residentBytes } from '../core/proc.ts';
import type { RunningServer } from '../servers/server.ts';
import type { WindowReport } from '../swarm/settings.ts';
import { mergeHistograms, toLatency } from './latency.ts';
import { startSendCount } from './send-counter.ts';
import type { GroupSwarm } from './swarms.ts';
import type { GroupResult, RunResult, SendCount, WindowSpec } from './types.ts';

/** A window ends when nothing has come for so long: bare uWS, overrun by 17,000 members, was seen to leave a small topic without for 14 s. */
const IDLE_MS = 30_000;
/** Publications start a little after the plan is made, so that the first is not late already. */
const LEAD_US = 200_000;

export interface Window {
  readonly server: RunningServer;
  readonly swarms: readonly GroupSwarm[];
  /** Next sequence by topic; advanced by each window. */
  readonly sequences: Map<string, number>;
}

/** Feeds a warm-up, then the measured window, and waits until every member has everything. */
export async function measureWindow(window: Window, spec: WindowSpec): Promise<Omit<RunResult, 'server' | 'pair'>> {
  if (spec.warmupMs > 0) await feedAll(window, atRate(spec, spec.warmupRate), spec.warmupMs);
  const pids = processTree(window.server.pids);
  const sends = spec.countSends ? await startSendCount(pids) : undefined;
  const broker = window.server.brokerPid === undefined ? [] : [window.server.brokerPid];
  const brokerBefore = exactCpuSeconds(broker);
  const before = readCpu(pids);
  const fed = await feedAll(window, spec, spec.durationMs);
  const after = readCpu(pids);
  const processes = pids.map((pid, i) => ({ name: processName(pid), cpuSeconds: after.server[i]! - before.server[i]! }));
  const cpu = processes.reduce((sum, process) => sum + process.cpuSeconds, 0);
  const deliveries = fed.groups.reduce((sum, group) => sum + group.delivered, 0);
  const calls = await sends?.stop();
  return {
    invalid: fed.invalid,
    groups: fed.groups,
    deliveries,
    cpuSeconds: cpu,
    cpuPerDeliveryUs: (cpu * 1e6) / Math.max(1, deliveries),
    elapsedMs: fed.elapsedMs,
    serverCpuShare: (cpu * 1000) / fed.elapsedMs,
    swarmCpuShare: fed.swarmCpuShare,
    othersCpuShare: ((after.machine - before.machine - (after.bench - before.bench)) * 1000) / fed.elapsedMs,
    processes,
    feedLatenessMaxMs: fed.latenessMaxMs,
    residentMiB: residentBytes(pids) / 2 ** 20,
    ...(broker.length > 0 && { extra: { brokerCores: ((exactCpuSeconds(broker) - brokerBefore) * 1000) / fed.elapsedMs } }),
    ...(sends === undefined || calls === undefined ? {} : { sends: toSendCount(sends.tool, calls, deliveries) }),
  };
}

/** The same, with so many publications a second on each topic. Undefined: as many as it says. */
export function atRate(spec: WindowSpec, ratePerSecond: number | undefined): WindowSpec {
  if (ratePerSecond === undefined) return spec;
  return { ...spec, groups: spec.groups.map((group) => ({ ...group, ratePerSecond })) };
}

/** The benchmark's own tree holds the server, the swarms and the feeders: what the machine used beyond it is somebody else's. */
function readCpu(pids: readonly number[]): { server: number[]; bench: number; machine: number } {
  // In an idle node a tick of a hundredth of a second is a large part.
  return { server: pids.map((pid) => exactCpuSeconds([pid])), bench: cpuSeconds(processTree([process.pid])), machine: machineCpuSeconds() };
}

interface Fed {
  readonly groups: readonly GroupResult[];
  readonly invalid: string;
  readonly elapsedMs: number;
  readonly swarmCpuShare: number;
  readonly latenessMaxMs: number;
}

async function feedAll({ server, swarms, sequences }: Window, spec: WindowSpec, durationMs: number): Promise<Fed> {
  const topics: TopicFeed[] = spec.groups.map(({ topic, ratePerSecond, burst, payloadBytes, watch }) => {
    const own = { ...(payloadBytes === undefined ? {} : { payloadBytes }), ...(watch === undefined ? {} : { rotateOver: watch.topics }) };
    return { topic, ratePerSecond, burst, keys: 0, firstSequence: sequences.get(topic) ?? 0, ...own };
  });
  await Promise.all(swarms.map((swarm, i) => swarm.openWindow(topics[i]!.firstSequence)));
  const plan: FeedPlan = { topics, startAtUs: nowUs() + LEAD_US, durationMs, payloadBytes: spec.payloadBytes };
  const ends = topics.map((feed) => feed.firstSequence + publicationsIn(feed, durationMs));
  const feeding = server.feed(plan);
  const [feed, reports] = await Promise.all([feeding, Promise.all(swarms.map((swarm, i) => swarm.closeWindow(ends[i]!, IDLE_MS)))]);
  for (const [i, { topic }] of topics.entries()) sequences.set(topic, ends[i]!);
  return {
    groups: spec.groups.map((group, i) => toGroupResult(group, ends[i]! - topics[i]!.firstSequence, reports[i]!)),
    invalid: whyInvalid(spec, reports),
    elapsedMs: (nowUs() - plan.startAtUs) / 1000,
    swarmCpuShare: Math.max(...reports.flat().map(({ cpuShare }) => cpuShare)),
    latenessMaxMs: feed.latenessMaxUs / 1000,
  };
}

function toGroupResult(group: WindowSpec['groups'][number], published: number, reports: readonly WindowReport[]): GroupResult {
  const delivered = reports.reduce((sum, report) => sum + report.delivered, 0);
  const frames = reports.reduce((sum, report) => sum + report.frames, 0);
  const latency = toLatency(mergeHistograms(reports.map((report) => report.latency)));
  const { name, members, ratePerSecond } = group;
  return { name, members, ratePerSecond, published, delivered, frames, latency };
}

const FAULTS = ['behind', 'skipped', 'repeated', 'stray', 'closed'] as const;

function whyInvalid(spec: WindowSpec, reports: readonly (readonly WindowReport[])[]): string {
  const reasons = spec.groups.flatMap((group, i) => {
    const total = (name: (typeof FAULTS)[number]) => reports[i]!.reduce((sum, report) => sum + report[name], 0);
    // Who asked for fewer updates is given fewer.
    const found = FAULTS.filter((name) => total(name) > 0 && !(name === 'skipped' && group.maxRateHz !== undefined));
    const refusal = reports[i]!.find((report) => report.refusal !== '')?.refusal ?? '';
    return found.length === 0 ? [] : [`${group.name}: ${found.map((name) => `${total(name)} ${name}`).join(', ')} ${refusal}`.trim()];
  });
  return reasons.join('; ');
}

function toSendCount(tool: SendCount['tool'], calls: Record<string, number>, deliveries: number): SendCount {
  const all = Object.values(calls).reduce((sum, count) => sum + count, 0);
  return { tool, calls, perDelivery: all / Math.max(1, deliveries) };
}
