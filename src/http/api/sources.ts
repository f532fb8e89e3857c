import type { Scope } from '../../config/admin-tokens.ts';
import type { Config } from '../../config/schema.ts';
import type { OrderAnswer } from '../../hub/ending/control.ts';
import type { ServerDraft } from '../../hub/publisher.ts';
import type {
  ConnectionsFound,
  HistoryPage,
  HistoryQuestion,
  NodeFigures,
  NodeSummary,
  PageOfNames,
  PresenceOverview,
  SeriesFound,
  TopicsFound,
  TopicsQuestion,
  UsersFound,
} from '../../hub/report-types.ts';
import type { ClientAnswer, ServerCall } from '../../hub/sending/sender.ts';
import type { Topic } from '../../protocol/topic.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { PublishAnswer } from './schemas/publish.ts';

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
  figures(): Promise<NodeFigures>;
  nodes(): Promise<readonly NodeSummary[]>;
  /** Of all nodes, as the next three. @throws ProtocolError `busy` */
  topics(question: TopicsQuestion): Promise<TopicsFound>;
  series(): Promise<SeriesFound>;
  users(question: PageOfNames): Promise<UsersFound>;
  connections(target: ConnectionTarget, limit: number): Promise<ConnectionsFound>;
  /** @throws ProtocolError */
  history(question: HistoryQuestion): Promise<HistoryPage>;
  /** @throws ProtocolError */
  presence(topic: Topic): PresenceOverview;
  /** @throws ProtocolError */
  publish(draft: ServerDraft, idempotencyKey?: string): Promise<PublishAnswer>;
  /** @throws ProtocolError */
  sendToNamespace(namespace: string, data: Uint8Array): Promise<void>;
  /** @returns false: it was dropped. @throws ProtocolError */
  sendToConnection(connectionId: string, data: Uint8Array, volatile: boolean): Promise<boolean>;
  /** @throws ProtocolError */
  callClients(call: ServerCall): Promise<readonly ClientAnswer[]>;
  /** Ends connections, subscriptions or tokens on all nodes. @throws ProtocolError */
  order(value: object): Promise<OrderAnswer>;
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
