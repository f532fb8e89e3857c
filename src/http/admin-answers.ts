import type { NodeFigures, NodeSummary, TopicsOverview } from '../hub/report-types.ts';

/** What the admin API answers: the contract between the node, the operator's page and whoever else asks. The figures in it are the hub's. */

/** `GET /api/node`. */
export interface NodeAnswer extends NodeFigures {
  readonly nodeId: string;
  readonly version: string;
  /** Node.js'. */
  readonly nodeVersion: string;
  readonly uptimeMs: number;
  /** The address that clients connect to. */
  readonly port: number;
  readonly bus: { readonly kind: string; readonly connected: boolean };
  /** Why the node is not ready; null if it is ready. */
  readonly notReady: string | null;
  /** Whether a token is configured: with it, publishing is permitted. */
  readonly publishing: boolean;
}

/** `GET /api/nodes`: the answering node first, then the others that share its bus, sorted by name. */
export interface NodesAnswer {
  readonly nodes: readonly NodeSummary[];
}

/** `GET /api/topics?sort=members|rate&limit=50`. */
export type TopicsAnswer = TopicsOverview;

/** `POST /api/publish` with `{topic, key?, data}`. */
export interface PublishAnswer {
  /** Empty in ephemeral namespaces; the offset is then 0. */
  readonly epoch: string;
  readonly offset: number;
  readonly duplicate: boolean;
}

/** Last parts of the paths for orders to all nodes: `POST /api/disconnect`, … */
export const ORDERS: ReadonlySet<string> = new Set(['disconnect', 'unsubscribe', 'revoke']);

/** What all nodes that answered in time have done. */
export interface OrderAnswer {
  readonly nodes: number;
  readonly connections: number;
}

/** Every error, with its HTTP status. */
export interface RefusalAnswer {
  readonly code: string;
  readonly message: string;
}

export const TOPICS_DEFAULT = 50;
