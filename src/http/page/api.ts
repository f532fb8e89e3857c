import type { TopicSort } from '../../hub/report-types.ts';
import type { HistoryAnswer } from '../api/schemas/history.ts';
import type { NodeAnswer, NodesAnswer } from '../api/schemas/nodes.ts';
import type { PresenceAnswer } from '../api/schemas/presence.ts';
import type { PublishAnswer } from '../api/schemas/publish.ts';
import type { Refusal } from '../api/schemas/refusal.ts';
import type { SeriesAnswer } from '../api/schemas/series.ts';
import type { TopicsAnswer } from '../api/schemas/topics.ts';
import type { ConnectionsAnswer, UsersAnswer } from '../api/schemas/users.ts';

/** More than twice as long as the node waits for a busy worker, or for other nodes. */
const TIMEOUT_MS = 10_000;

/** The node answered with an error. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, { error: { code, message } }: Refusal) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Whose connections are meant. */
export type Target = { readonly user: string } | { readonly connectionId: string };

/** Calls the HTTP API of the server that this page came from. Paths are relative, so that it works behind a proxy with a path prefix. */
export class Api {
  /** Kept in memory only. */
  token = '';

  node(): Promise<NodeAnswer> {
    return this.#ask('api/node');
  }

  nodes(): Promise<NodesAnswer> {
    return this.#ask('api/nodes');
  }

  series(): Promise<SeriesAnswer> {
    return this.#ask('api/series');
  }

  topics(query: { readonly sort: TopicSort; readonly limit: number; readonly prefix?: string }): Promise<TopicsAnswer> {
    return this.#ask(`api/topics?${parameters(query)}`);
  }

  users(prefix: string, limit: number): Promise<UsersAnswer> {
    return this.#ask(`api/users?${parameters({ prefix, limit })}`);
  }

  connections(target: Target, limit: number): Promise<ConnectionsAnswer> {
    return this.#ask(`api/connections?${parameters({ ...target, limit })}`);
  }

  presence(topic: string): Promise<PresenceAnswer> {
    return this.#ask(`api/presence?${parameters({ topic })}`);
  }

  history(topic: string, limit: number): Promise<HistoryAnswer> {
    return this.#ask(`api/history?${parameters({ topic, limit })}`);
  }

  /** @param json one JSON value as text. It is sent unchanged, because parsing it here would lose the last digits of long integers. */
  publish(topic: string, key: string, json: string): Promise<PublishAnswer> {
    const head = JSON.stringify({ topic, ...(key !== '' && { key }) }).slice(0, -1);
    return this.#ask('api/publish', { method: 'POST', body: `${head},"data":${json}}` });
  }

  disconnect(target: Target, reconnect: boolean): Promise<{ readonly connections: number }> {
    return this.#ask('api/disconnect', { method: 'POST', body: JSON.stringify({ ...target, ...(reconnect && { reconnect }) }) });
  }

  drain(nodeId: string): Promise<object> {
    return this.#ask('api/drain', { method: 'POST', body: JSON.stringify({ nodeId }) });
  }

  async #ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers: Record<string, string> = this.token === '' ? {} : { Authorization: `Bearer ${this.token}` };
    const response = await fetch(path, { ...init, headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const answer: unknown = await response.json().catch(() => ({ error: { code: String(response.status), message: response.statusText } }));
    if (!response.ok) throw new Refused(response.status, answer as Refusal);
    return answer as T;
  }
}

function parameters(query: Readonly<Record<string, string | number>>): URLSearchParams {
  return new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
}

/** What went wrong, for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Refused ? `${error.code}: ${error.message}` : (error as Error).message;
}
