import type { Config } from '../../config/schema.ts';
import type { Draft } from '../../hub/publisher.ts';
import type { NodeFigures, NodeSummary, TopicSort, TopicsOverview } from '../../hub/report-types.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { OrderAnswer } from './schemas/ending.ts';
import type { PublishAnswer } from './schemas/publish.ts';

/** What a token of the API permits. */
export type Scope = 'publish' | 'read' | 'admin';

/** The sources of the API's answers. */
export interface ApiSources {
  readonly nodeId: string;
  /** The address that clients connect to. */
  readonly port: number;
  readonly config: Config;
  bus(): { readonly kind: string; readonly connected: boolean };
  /** Why the node is not ready; undefined if it is ready. */
  notReady(): string | undefined;
  figures(): Promise<NodeFigures>;
  nodes(): Promise<readonly NodeSummary[]>;
  topics(sort: TopicSort, limit: number): Promise<TopicsOverview>;
  /** @throws ProtocolError */
  publish(draft: Draft, idempotencyKey?: string): Promise<PublishAnswer>;
  /** Ends connections, subscriptions or tokens on all nodes. @throws ProtocolError */
  order(value: object): Promise<OrderAnswer>;
}

/** What a route answers from. */
export interface ApiContext {
  readonly sources: ApiSources;
  readonly logger: Logger;
  /** What the request's token permits. */
  readonly scopes: readonly Scope[];
}
