import type { TopicSort } from '../../hub/report-types.ts';
import type { NodeAnswer, NodesAnswer } from '../api/schemas/nodes.ts';
import type { PublishAnswer } from '../api/schemas/publish.ts';
import type { Refusal } from '../api/schemas/refusal.ts';
import type { TopicsAnswer } from '../api/schemas/topics.ts';

/** More than twice as long as the node waits for a busy worker. */
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

  topics(sort: TopicSort, limit: number): Promise<TopicsAnswer> {
    return this.#ask(`api/topics?sort=${sort}&limit=${limit}`);
  }

  /** @param json one JSON value as text. It is sent unchanged, because parsing it here would lose the last digits of long integers. */
  publish(topic: string, key: string, json: string): Promise<PublishAnswer> {
    const head = JSON.stringify({ topic, ...(key !== '' && { key }) }).slice(0, -1);
    return this.#ask('api/publish', { method: 'POST', body: `${head},"data":${json}}` });
  }

  async #ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers: Record<string, string> = this.token === '' ? {} : { Authorization: `Bearer ${this.token}` };
    const response = await fetch(path, { ...init, headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const answer: unknown = await response.json().catch(() => ({ error: { code: String(response.status), message: response.statusText } }));
    if (!response.ok) throw new Refused(response.status, answer as Refusal);
    return answer as T;
  }
}
