import type { NodeFigures, NodeSummary, TopicsOverview } from '../hub/report-types.ts';

/** What the admin API answers: the contract between the node, the operator's page and whoever else asks. The figures in it are the hub's. */

/** `GET /api/node`. */
export interface NodeAnswer extends NodeFigures {
  readonly nodeId: string;
  readonly version: string;
  /** Node.js'. */
  readonly nodeVersion: string;
  readonly uptimeMs: number;
  /** Where clients connect to. */
  readonly port: number;
  readonly bus: { readonly kind: string; readonly connected: boolean };
  /** Why the node is not ready; null: it is. */
  readonly notReady: string | null;
  /** A token is configured, so that whoever gives it may publish. */
  readonly publishing: boolean;
}

/** `GET /api/nodes`: the node that answers first, then the others that share its bus, by name. */
export interface NodesAnswer {
  readonly nodes: readonly NodeSummary[];
}

/** `GET /api/topics?sort=members|rate&limit=50`. */
export type TopicsAnswer = TopicsOverview;

/** `POST /api/publish` with `{topic, key?, data}`. */
export interface PublishAnswer {
  /** Empty, and the offset 0, in ephemeral namespaces. */
  readonly epoch: string;
  readonly offset: number;
  readonly duplicate: boolean;
}

/** Every refusal, with its HTTP status. */
export interface RefusalAnswer {
  readonly code: string;
  readonly message: string;
}

export const TOPICS_DEFAULT = 50;
