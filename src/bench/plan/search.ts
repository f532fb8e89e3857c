import type { CostConstants } from './constants.ts';
import { type Fleet, forecast, type Load, type NodeForecast } from './model.ts';

export interface Wishes {
  /** Of a core, for each worker and the hub: what is left is for bursts, and for the clients of a node that fails. */
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

const NODES_MAX = 100_000;

/** The smallest number of nodes that fulfils the wishes; undefined: no number does, because every node has too much to follow. Pure. */
export function nodesFor(constants: CostConstants, load: Load, fleet: Omit<Fleet, 'nodes'>, wishes: Wishes): FleetPlan | undefined {
  const at = (nodes: number) => forecast(constants, load, { ...fleet, nodes });
  const why = (nodes: number) => excess(at(nodes), fleet.workersPerNode, wishes);
  if (why(NODES_MAX) !== undefined) return undefined;
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

function excess(node: NodeForecast, workersPerNode: number, { coresPerProcessMax, passMsMax, connectionsPerWorkerMax }: Wishes) {
  const { workerCores, hubAndWorkersCores, passMs, connections } = node;
  if (connections / workersPerNode > connectionsPerWorkerMax) return `more than ${connectionsPerWorkerMax} connections a worker`;
  if (passMs > passMsMax) return `a pass over all connections of a worker would take ${Math.round(passMs)} ms`;
  if (workerCores > coresPerProcessMax) return `a worker would use ${Math.round(workerCores * 100)}% of a core`;
  const hubCores = hubAndWorkersCores - workerCores * workersPerNode;
  return hubCores > coresPerProcessMax ? `the hub would use ${Math.round(hubCores * 100)}% of a core` : undefined;
}
