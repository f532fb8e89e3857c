import type { CaseServerCommand, CaseServerCommands } from '../case-server.ts';
import type { Case, Remote } from './case-context.ts';
import { runCase } from './index.ts';

/** Runs the cases in a place that is not the server's process: it speaks to the server over HTTP. Bundled for another Node and for browsers. */

export interface Outcome {
  readonly name: string;
  readonly error: string | undefined;
  readonly tookMs: number;
}

export interface Order {
  /** Of the server. */
  readonly serverUrl: string;
  /** Of the proxy. */
  readonly url: string;
  readonly cuts: number;
  /** Use the platform's own WebSocket, in Node too. */
  readonly platformSocket?: boolean;
}

/** @param cases what there is to choose from */
export async function runByName(cases: readonly Case[], name: string, { serverUrl, url, cuts, platformSocket }: Order): Promise<Outcome> {
  const one = cases.find((other) => other.name === name);
  if (one === undefined) throw new Error(`no case "${name}"`);
  const startedAtMs = performance.now();
  const { WebSocket } = platformSocket ? (globalThis as Pick<Remote, 'WebSocket'>) : {};
  const remote: Remote = { url, cuts, WebSocket, run: (command, ...args) => ask(serverUrl, command, args) };
  let error: string | undefined;
  try {
    await runCase(one, remote);
  } catch (thrown) {
    error = String((thrown as Error).stack ?? thrown);
  }
  return { name, error, tookMs: Math.round(performance.now() - startedAtMs) };
}

async function ask<K extends CaseServerCommand>(
  serverUrl: string,
  command: K,
  args: Parameters<CaseServerCommands[K]>,
): Promise<ReturnType<CaseServerCommands[K]>> {
  const response = await fetch(`${serverUrl}/${command}`, { method: 'POST', body: JSON.stringify(args) });
  if (!response.ok) throw new Error(`${command}: ${await response.text()}`);
  return (await response.json()) as ReturnType<CaseServerCommands[K]>;
}
