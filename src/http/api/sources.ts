import type { Scope } from '../../config/admin-tokens.ts';
import type { Config } from '../../config/schema.ts';
import type { Operator } from '../../hub/operator.ts';
import type { NodeSummary } from '../../hub/report-types.ts';
import type { Logger } from '../../telemetry/log.ts';

/** Whose connections a question is about. */
export type ConnectionTarget = { readonly user: string } | { readonly connectionId: string } | { readonly tokenId: string };

/** The sources of the API's answers. */
export interface ApiSources {
  readonly nodeId: string;
  /** The address that clients connect to. */
  readonly port: number;
  readonly config: Config;
  bus(): { readonly kind: string; readonly connected: boolean };
  /** Why the node is not ready; undefined if it is ready. */
  notReady(): string | undefined;
  readonly operator: Operator;
  nodes(): Promise<readonly NodeSummary[]>;
  /** Drains and ends the node. Absent: only the program that started it can. */
  readonly drain?: (() => void) | undefined;
}

/** What a route answers from. */
export interface ApiContext {
  readonly sources: ApiSources;
  readonly logger: Logger;
  /** What the request's token permits. */
  readonly scopes: readonly Scope[];
}
