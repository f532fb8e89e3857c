import { formatDuration, formatNumber } from '../../telemetry/format.ts';
import type { NodeAnswer, NodesAnswer } from '../api/schemas/nodes.ts';
import type { SeriesAnswer } from '../api/schemas/series.ts';
import type { ErrorLine } from './rates.ts';
import { latestOf, linesOf } from './series.ts';

/** Something that an operator should look at. */
export interface Problem {
  readonly tone: 'bad' | 'warn';
  readonly text: string;
  /** Its line in the help page. */
  readonly help: string;
}

export interface Facts {
  readonly node: NodeAnswer;
  readonly nodes: NodesAnswer['nodes'];
  readonly series: SeriesAnswer | undefined;
  /** Increases since the page was opened. */
  readonly errors: readonly ErrorLine[];
}

const FULL_SHARE = 0.9;
const LAGGING_SHARE = 0.05;
const LAGGING_FEW = 10;
const SLOW_MS = 1000;
const LOOP_LAG_MS = 250;
const CLOCK_MS = 500;
/** Clients that leave, drains, and what an operator did. */
const CLOSED_AS_USUAL = new Set(['1000', '1001', '1005', '1006', '4010', '4011', '4105', '4200', 'other']);

/** What is wrong, worst first. Pure. */
export function problemsOf(facts: Facts): Problem[] {
  const problems = [...readiness(facts), ...capacity(facts), ...speed(facts), ...clocks(facts), ...errors(facts)];
  return [...problems.filter(({ tone }) => tone === 'bad'), ...problems.filter(({ tone }) => tone === 'warn')];
}

function readiness({ node, nodes }: Facts): Problem[] {
  const own: Problem[] = node.notReady === null ? [] : [bad(`This node is not ready: ${node.notReady}`, 'sign-not-ready')];
  const others = nodes.flatMap(({ self, nodeId, silent, heardMsAgo, notReady }): Problem[] => {
    if (self) return [];
    if (silent) return [bad(`Node ${nodeId} has been silent for ${formatDuration(heardMsAgo)}`, 'sign-silent')];
    return notReady === null ? [] : [bad(`Node ${nodeId} is not ready: ${notReady}`, 'sign-not-ready')];
  });
  const { workersSilent } = node;
  const busy = workersSilent === 0 ? [] : [bad(`${counted(workersSilent, 'worker does', 'workers do')} not answer`, 'sign-worker-silent')];
  return [...own, ...others, ...busy];
}

function capacity({ nodes }: Facts): Problem[] {
  return nodes.flatMap(({ nodeId, connections, connectionsMax, lagging }): Problem[] => {
    const share = connectionsMax === 0 ? 0 : connections / connectionsMax;
    const text = `Node ${nodeId} has ${formatNumber(connections)} of at most ${formatNumber(connectionsMax)} connections`;
    const full = share < FULL_SHARE ? [] : [share < 1 ? warn(text, 'sign-full') : bad(text, 'sign-full')];
    const isSlow = lagging > LAGGING_FEW && lagging > connections * LAGGING_SHARE;
    return [...full, ...(isSlow ? [warn(`${formatNumber(lagging)} connections of node ${nodeId} lag`, 'sign-lagging')] : [])];
  });
}

function speed({ series }: Facts): Problem[] {
  if (series === undefined) return [];
  const p99 = latestOf(linesOf(series, 'publishToSocketP99Ms', 'max')) ?? 0;
  const lag = latestOf(linesOf(series, 'loopLagMs', 'max')) ?? 0;
  return [
    ...(p99 > SLOW_MS ? [warn(`1% of the publications take more than ${formatDuration(p99)} to the sockets`, 'sign-slow')] : []),
    ...(lag > LOOP_LAG_MS ? [warn(`A process was busy for ${formatNumber(lag)} ms without a pause`, 'sign-loop-lag')] : []),
  ];
}

function clocks({ nodes }: Facts): Problem[] {
  return nodes
    .filter(({ self, silent, clockOffsetMs }) => !self && !silent && Math.abs(clockOffsetMs) > CLOCK_MS)
    .map(({ nodeId, clockOffsetMs }) =>
      warn(`The clock of node ${nodeId} differs by ${formatDuration(Math.abs(clockOffsetMs))}`, 'sign-clock'),
    );
}

function errors({ errors: lines }: Facts): Problem[] {
  return lines
    .filter(({ kind, code, since }) => since > 0 && !(kind === 'closed' && CLOSED_AS_USUAL.has(code)))
    .map(({ kind, code, since }) => {
      const text = `${TEXTS[kind](formatNumber(since), code)} since this page was opened`;
      return kind === 'sent' && code === 'internal' ? bad(text, helpOf(kind, code)) : warn(text, helpOf(kind, code));
    });
}

const TEXTS: Record<ErrorLine['kind'], (count: string, code: string) => string> = {
  sent: (count, code) => `${count} × the error ${code}`,
  closed: (count, code) => `${count} × closed with ${code}`,
  refused: (count, code) => `${count} × refused with HTTP ${code}`,
  skipped: (count, code) => `${count} × a producer’s publication was skipped: ${code}`,
};

/** Where the help page explains a code. */
export function helpOf(kind: ErrorLine['kind'], code: string): string {
  if (kind === 'skipped') return `sign-skipped-${code}`;
  return `${{ sent: 'error', closed: 'close', refused: 'http' }[kind]}-${code}`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function bad(text: string, help: string): Problem {
  return { tone: 'bad', text, help };
}

function warn(text: string, help: string): Problem {
  return { tone: 'warn', text, help };
}
