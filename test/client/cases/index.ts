import { type Case, CaseContext, type Remote } from './case-context.ts';
import { COMMANDS } from './commands.ts';
import { CONNECTION } from './connection.ts';
import { PUBLISHING } from './publishing.ts';
import { RECOVERY } from './recovery.ts';
import { SHARING } from './sharing.ts';

/** What every place that the SDK runs in must show: Node 20, Node 22, a browser. */
export const CASES: readonly Case[] = [...RECOVERY, ...PUBLISHING, ...CONNECTION, ...COMMANDS, ...SHARING];

export async function runCase({ run }: Case, remote: Remote): Promise<void> {
  const context = new CaseContext(remote);
  try {
    await run(context);
  } finally {
    await context.close();
  }
}
