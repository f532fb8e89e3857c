import type { TopicSort } from '../../hub/report-types.ts';
import type { NodeAnswer, NodesAnswer, PublishAnswer, RefusalAnswer, TopicsAnswer } from '../admin-answers.ts';

/** Longer than the node waits for a worker that is very busy, twice. */
const TIMEOUT_MS = 10_000;

/** The node answered, and said no. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, { code, message }: RefusalAnswer) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Asks the admin API that this page came from. Paths are relative, so that it works behind a proxy's prefix. */
export class Api {
  /** In memory only. */
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

  /** @param json one JSON value as text: sent as it is, since reading it here would take the last digits of long integers */
  publish(topic: string, key: string, json: string): Promise<PublishAnswer> {
    const head = JSON.stringify({ topic, ...(key !== '' && { key }) }).slice(0, -1);
    return this.#ask('api/publish', { method: 'POST', body: `${head},"data":${json}}` });
  }

  async #ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers: Record<string, string> = this.token === '' ? {} : { Authorization: `Bearer ${this.token}` };
    const response = await fetch(path, { ...init, headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const answer: unknown = await response.json().catch(() => ({ code: String(response.status), message: response.statusText }));
    if (!response.ok) throw new Refused(response.status, answer as RefusalAnswer);
    return answer as T;
  }
}
