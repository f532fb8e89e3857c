import type { TestClient } from '../../../support/test-client.ts';
import type { CrowdState, PresenceTruth } from '../../people/settings.ts';
import { wrongMembers } from '../../people/watcher.ts';
import type { RestartableNode } from '../../restartable-node.ts';
import { monoMs, seconds } from '../../time.ts';
import { type Community, SETTLE_TIMEOUT_MS, withVisitors } from './community.ts';

/** Two counts of a topic are at least so far apart. */
const COUNT_INTERVAL_MS = 1000;
const POLL_SECONDS = 0.05;
const STAYS_POLLS = 6;
const EXAMPLES_MAX = 5;

/** All connections are open and subscribed again. */
export async function allSettled({ crowd, run }: Community): Promise<void> {
  const deadlineMs = monoMs() + SETTLE_TIMEOUT_MS;
  for (;;) {
    const { settled, unsettled } = await crowd.state();
    if (settled) return;
    if (monoMs() > deadlineMs) return run.fail(`not all connections are subscribed again: ${unsettled.join('; ')}`);
    await seconds(POLL_SECONDS);
  }
}

/**
 * Waits until presence is, in the answers of all these nodes and for all who watch, what the clients themselves know. Then it must stay so: nobody comes back
 * as a ghost.
 * @param dueAtMs when it must be so, given the last join and leave. Those who watch may have their counts a second later: they come once a second
 */
export async function presenceExact(
  community: Community,
  what: string,
  dueAtMs: (state: CrowdState) => number,
  nodes: readonly RestartableNode[] = community.nodes,
): Promise<void> {
  const { run, size } = community;
  const startMs = monoMs();
  await withVisitors(nodes, async (visitors) => {
    let listsExactAtMs: number | undefined;
    for (;;) {
      const { state, atMs, wrong } = await compare(community, visitors);
      const all = [...wrong, ...state.wrongCounts];
      if (wrong.length > 0) listsExactAtMs = undefined;
      else listsExactAtMs ??= atMs;
      if (listsExactAtMs !== undefined && all.length === 0) {
        run.limitMs(`${what}LateMs`, Math.max(0, listsExactAtMs - dueAtMs(state)), 0);
        run.limitMs(`${what}CountLateMs`, Math.max(0, atMs - dueAtMs(state) - COUNT_INTERVAL_MS), 0);
        run.figure(`${what}ExactAfterMs`, atMs - startMs);
        break;
      }
      if (monoMs() > startMs + SETTLE_TIMEOUT_MS) return run.fail(`${what}: presence is wrong: ${all.slice(0, EXAMPLES_MAX).join('; ')}`);
      await seconds(POLL_SECONDS);
    }
    for (let poll = 0; poll < (size.quick ? 2 : STAYS_POLLS); poll++) {
      await seconds(0.5);
      const { state, wrong } = await compare(community, visitors);
      const all = [...wrong, ...state.wrongCounts];
      if (all.length > 0) run.fail(`${what}: presence was exact, and is wrong again: ${all.slice(0, EXAMPLES_MAX).join('; ')}`);
    }
  });
  run.say(`presence is exact ${Math.round(monoMs() - startMs)} ms after: ${what}`);
}

interface Comparison {
  readonly state: CrowdState;
  /** When the answers were asked for. */
  readonly atMs: number;
  /** What differs in answers, and in the lists of those who watch. */
  readonly wrong: readonly string[];
}

async function compare({ crowd }: Community, visitors: readonly TestClient[]): Promise<Comparison> {
  const before = await crowd.state();
  const atMs = monoMs();
  const topics = Object.entries(before.presence);
  const answers = await Promise.all(visitors.flatMap((visitor) => topics.map(([topic, truth]) => differs(visitor, topic, truth))));
  const state = await crowd.state();
  const moved = state.lastJoinAtMs !== before.lastJoinAtMs || state.lastLeaveAtMs !== before.lastLeaveAtMs;
  const wrong = [
    ...(moved ? ['clients come and go'] : []),
    ...answers.filter((why) => why !== undefined),
    ...state.unsettled,
    ...state.wrongLists,
  ];
  return { state, atMs, wrong };
}

async function differs(visitor: TestClient, topic: string, { count, users }: PresenceTruth): Promise<string | undefined> {
  const answer = await visitor.ask({ type: 'presence', topic });
  if (answer.type !== 'presence') return `${topic} was answered with ${JSON.stringify(answer)}`;
  if (answer.count !== count) return `${topic} has count ${answer.count} instead of ${count}`;
  if (answer.members === undefined) return undefined;
  const wrong = wrongMembers(
    answer.members.map(({ user }) => user as string),
    users,
  );
  return wrong && `${topic} has ${wrong}`;
}
