import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Life, lifeOf, type Stored } from '../ledger.ts';
import { type Rig, threeNodeRig } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
import { lastOffsetsOf, NAMESPACE, type Stage } from '../stage.ts';
import { readStore } from '../store.ts';

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
  async run(stage, size) {
    const rig = await threeNodeRig(stage, size, { feedRuns: false });
    const lives: Life[] = [];
    await publish(rig, BEFORE_COPY);
    await rig.swarm.reach({ offsets: rig.feed.lastOffsets, timeoutMs: 30_000 });
    await stage.calm(rig.swarm);
    let stored = await rollBack(stage, rig, lives, { nodesDown: false, count: AFTER_ROLLBACK.behind });
    stored = await rollBack(stage, rig, lives, { nodesDown: true, count: AFTER_ROLLBACK.behind });
    stored = await rollBack(stage, rig, lives, { nodesDown: true, count: AFTER_ROLLBACK.past });
    const { epochs } = await rig.swarm.stats();
    lives.push(lifeOf(epochs[lives.length] ?? 'none', stored));
    await stage.judgeClients({ ...rig, declarationsAllowed: true }, lives, stored);
  },
};

interface Way {
  readonly nodesDown: boolean;
  /** Publications a topic after the rollback, before nodes that were down come back. */
  readonly count: number;
}

/** @returns what the store has in its new life */
async function rollBack(stage: Stage, rig: Rig, lives: Life[], { nodesDown, count }: Way): Promise<Stored[]> {
  const { nats, nodes, swarm, sdk, urls, size } = rig;
  const copy = mkdtempSync(join(tmpdir(), 'stentor-rollback-'));
  stage.onEnd(() => rmSync(copy, { recursive: true, force: true }));
  await nats.halt();
  cpSync(nats.storeDir, copy, { recursive: true });
  await nats.restart();
  await publish(rig, AFTER_COPY);
  const old = await readStore(urls, NAMESPACE);
  const { behind } = await swarm.reach({ offsets: lastOffsetsOf(old), timeoutMs: 30_000 });
  stage.expect(behind === 0, `${behind} clients were not up to date before the rollback`);
  if ((await sdk?.reach(lastOffsetsOf(old), 10_000)) !== 0) stage.fail('SDK clients were not up to date before the rollback');
  const before = await swarm.stats();
  lives.push(lifeOf(before.epochs[lives.length] ?? 'none', old));

  await nats.kill9();
  if (nodesDown) await Promise.all(nodes.map((node) => node.kill9()));
  rmSync(nats.storeDir, { recursive: true, force: true });
  cpSync(copy, nats.storeDir, { recursive: true });
  await swarm.resetStats();
  await nats.restart();
  await publish(rig, count);
  if (nodesDown) for (const node of nodes) await node.start();
  const stored = await readStore(urls, NAMESPACE);
  const reached = await swarm.reach({ offsets: lastOffsetsOf(stored), otherThan: before.epochs, timeoutMs: NOTICED_MAX_MS });
  const how = nodesDown ? 'with the nodes down' : 'with the nodes running';
  stage.expect(
    reached.behind === 0,
    `${how}, ${count} more a topic: ${reached.behind} clients are in no new life of the log: ${reached.examples.join(' ')}`,
  );
  const after = await swarm.stats();
  const resynced = after.resyncs + after.notRecovered;
  stage.expect(resynced >= size.clients, `${how}, ${count} more a topic: ${resynced} of ${size.clients} clients were resynced`);
  return stored;
}

async function publish({ feed, topics }: Rig, countPerTopic: number): Promise<void> {
  await Promise.all(topics.flatMap((topic) => Array.from({ length: countPerTopic }, () => feed.publish(topic))));
}
