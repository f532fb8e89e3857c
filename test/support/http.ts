import type { TestNode } from './node.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what came
  readonly body: any;
}

/** A request to the clients' port, and its answer as JSON. */
export async function request(
  node: TestNode,
  path: string,
  { token, ...init }: RequestInit & { readonly token?: string } = {},
): Promise<Answered> {
  const headers = { ...(init.headers as Record<string, string>), ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`http://127.0.0.1:${node.running.port}${path}`, { ...init, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

export const post = (node: TestNode, body: unknown, init: RequestInit & { readonly token?: string } = {}) =>
  request(node, '/publish', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), ...init });
