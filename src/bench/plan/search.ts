import type { CostConstants } from './constants.ts';
import { type Fleet, forecast, type Load, type NodeForecast } from './model.ts';

export interface Wishes {
  /** Of a core, for each worker and the hub, and of the node's cores together: what is left is for bursts, and for the clients of a node that fails. */
  readonly coresPerProcessMax: number;
  /** Of a pass: a publication waits for half of it on average. */
  readonly passMsMax: number;
  readonly connectionsPerWorkerMax: number;
}

export interface FleetPlan {
  readonly nodes: number;
  readonly node: NodeForecast;
  /** What would be exceeded with one node less. */
  readonly because: string;
}

export const NODES_MAX = 100_000;

/** The smallest number of nodes that fulfils the wishes; or what even {@link NODES_MAX} would exceed. Pure. */
export function nodesFor(
  constants: CostConstants,
  load: Load,
  fleet: Omit<Fleet, 'nodes'>,
  wishes: Wishes,
): FleetPlan | { readonly impossible: string } {
  const at = (nodes: number) => forecast(constants, load, { ...fleet, nodes });
  const why = (nodes: number) => excess(at(nodes), fleet, wishes);
  const impossible = why(NODES_MAX);
  if (impossible !== undefined) return { impossible };
  let low = 0;
  let high = 1;
  while (why(high) !== undefined) {
    low = high;
    high = Math.min(NODES_MAX, high * 2);
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (why(middle) === undefined) high = middle;
    else low = middle;
  }
  return { nodes: high, node: at(high), because: low === 0 ? 'one is enough' : (why(low) ?? '') };
}

/** Which wish a node does not fulfil; undefined: none. Pure. */
export function excess(
  node: NodeForecast,
  { workersPerNode, coresPerNode }: Pick<Fleet, 'workersPerNode' | 'coresPerNode'>,
  { coresPerProcessMax, passMsMax, connectionsPerWorkerMax }: Wishes,
): string | undefined {
  const { workerCores, hubAndWorkersCores, passMs, connections } = node;
  if (connections / workersPerNode > connectionsPerWorkerMax) return `more than ${connectionsPerWorkerMax} connections a worker`;
  if (passMs > passMsMax) return `a pass over all connections of a worker would take ${Math.round(passMs)} ms`;
  const percent = (cores: number) => `${(cores * 100).toFixed(1)}%`;
  if (workerCores > coresPerProcessMax) return `a worker would use ${percent(workerCores)} of a core`;
  const hubCores = hubAndWorkersCores - workerCores * workersPerNode;
  if (hubCores > coresPerProcessMax) return `the hub would use ${percent(hubCores)} of a core`;
  return hubAndWorkersCores > coresPerNode * coresPerProcessMax
    ? `hub and workers would use ${hubAndWorkersCores.toFixed(2)} of the node's ${coresPerNode} cores`
    : undefined;
}
