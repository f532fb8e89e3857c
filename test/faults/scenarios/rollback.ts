import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FaultRun, lastOffsetsOf, NAMESPACE } from '../fault-run.ts';
import { type Life, lifeOf, type Stored } from '../ledger.ts';
import type { Scenario } from '../scenario.ts';
import { readStore } from '../store.ts';
import { startThreeNodes, type ThreeNodes } from '../three-nodes.ts';

/** Publications a topic. After the older copy is back, one log stays behind where clients were, the other grows past it. */
const BEFORE_COPY = 300;
const AFTER_COPY = 300;
const AFTER_ROLLBACK = { behind: 100, past: 900 };
const NOTICED_MAX_MS = 15_000;

export const rollback: Scenario = {
  number: 15,
  title: 'store rolled back to an older copy: nodes running; nodes down; nodes down and the log grown past where clients were',
  pass: 'every client resynced, 0 silent merges',
  size: { clients: 1500, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const cluster = await startThreeNodes(run, size, { feedRuns: false });
    const lives: Life[] = [];
    await publish(cluster, BEFORE_COPY);
    await cluster.swarm.reach({ offsets: cluster.feed.lastOffsets, timeoutMs: 30_000 });
    await run.calm(cluster.swarm);
    let stored = await rollBack(run, cluster, lives, { nodesDown: false, count: AFTER_ROLLBACK.behind });
    stored = await rollBack(run, cluster, lives, { nodesDown: true, count: AFTER_ROLLBACK.behind });
    stored = await rollBack(run, cluster, lives, { nodesDown: true, count: AFTER_ROLLBACK.past });
    const { epochs } = await cluster.swarm.stats();
    lives.push(lifeOf(epochs[lives.length] ?? 'none', stored));
    await run.judgeClients({ ...cluster, declarationsAllowed: true }, lives, stored);
  },
};

interface Way {
  readonly nodesDown: boolean;
  /** Publications a topic after the rollback, before nodes that were down come back. */
  readonly count: number;
}

/** @returns what the store has in its new life */
async function rollBack(run: FaultRun, cluster: ThreeNodes, lives: Life[], { nodesDown, count }: Way): Promise<Stored[]> {
  const { nats, nodes, swarm, sdk, urls, size } = cluster;
  const copy = mkdtempSync(join(tmpdir(), 'stentor-rollback-'));
  run.onEnd(() => rmSync(copy, { recursive: true, force: true }));
  await nats.halt();
  cpSync(nats.storeDir, copy, { recursive: true });
  await nats.restart();
  await publish(cluster, AFTER_COPY);
  const old = await readStore(urls, NAMESPACE);
  const { behind } = await swarm.reach({ offsets: lastOffsetsOf(old), timeoutMs: 30_000 });
  run.expect(behind === 0, `${behind} clients were not up to date before the rollback`);
  if ((await sdk?.reach(lastOffsetsOf(old), 10_000)) !== 0) run.fail('SDK clients were not up to date before the rollback');
  const before = await swarm.stats();
  lives.push(lifeOf(before.epochs[lives.length] ?? 'none', old));

  await nats.kill9();
  if (nodesDown) await Promise.all(nodes.map((node) => node.kill9()));
  rmSync(nats.storeDir, { recursive: true, force: true });
  cpSync(copy, nats.storeDir, { recursive: true });
  await swarm.resetStats();
  await nats.restart();
  await publish(cluster, count);
  if (nodesDown) for (const node of nodes) await node.start();
  const stored = await readStore(urls, NAMESPACE);
  const reached = await swarm.reach({ offsets: lastOffsetsOf(stored), otherThan: before.epochs, timeoutMs: NOTICED_MAX_MS });
  const how = nodesDown ? 'with the nodes down' : 'with the nodes running';
  run.expect(
    reached.behind === 0,
    `${how}, ${count} more a topic: ${reached.behind} clients are in no new life of the log: ${reached.examples.join(' ')}`,
  );
  const after = await swarm.stats();
  const resynced = after.resyncs + after.notRecovered;
  run.expect(resynced >= size.clients, `${how}, ${count} more a topic: ${resynced} of ${size.clients} clients were resynced`);
  return stored;
}

async function publish({ feed, topics }: ThreeNodes, countPerTopic: number): Promise<void> {
  await Promise.all(topics.flatMap((topic) => Array.from({ length: countPerTopic }, () => feed.publish(topic))));
}
