import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';
import { type Community, DEAD_MS, GRACE_MS, some, startCommunity } from './people/community.ts';
import { endingsReachAll, limitHolds, refusedEverywhere } from './people/endings.ts';
import { allSettled, presenceExact } from './people/exact.ts';
import { featuresWork } from './people/features.ts';
import { refusesAboveLimit } from './people/refuse.ts';
import { Traffic } from './people/traffic.ts';

const JOIN_MAX_MS = 2000;
const LEAVE_MAX_MS = GRACE_MS + 2000;
const OVER_LIMIT_MAX_MS = 2000;

export const people: Scenario = {
  number: 27,
  title: 'users, presence, calls and hooks on three nodes; kill -9 of a node, then of NATS',
  pass: 'presence exact: joins < 2 s, leaves < grace + 2 s, a dead node < 5 s + grace; the limit of connections holds; nobody gets what is another user’s',
  size: { clients: 3000, ratePerSecond: 100, topics: 12, quick: false },
  timeoutMs: 300_000,
  async execute(run, size) {
    const community = await startCommunity(run, size);
    const traffic = new Traffic(community);
    run.onEnd(() => traffic.stop());
    await presenceExact(community, 'start', (state) => state.lastJoinAtMs + JOIN_MAX_MS);
    await featuresWork(community, 'at the start');
    traffic.start();
    await peopleComeAndGo(community);
    const surplus = await limitHolds(community);
    const revoked = await endingsReachAll(community);
    await nodeDies(community, revoked);
    await featuresWork(community, 'after a node was killed');
    await natsDies(community);
    await featuresWork(community, 'after NATS was killed');
    await refusedEverywhere(community, revoked, 'at the end');
    traffic.stop();
    await judge(community, surplus);
    await refusesAboveLimit(run);
  },
};

/** Users leave, others come back within the grace time and never left. */
async function peopleComeAndGo(community: Community): Promise<void> {
  const { crowd, users, singles } = community;
  const gone = [...some(users, users.length / 20), ...some(singles, singles.length / 4)];
  const blinking = some(
    singles.filter((user) => !gone.includes(user)),
    singles.length / 4,
  );
  await crowd.leave([...gone, ...blinking]);
  await crowd.comeBack(blinking);
  await presenceExact(community, 'leave', ({ lastLeaveAtMs, lastJoinAtMs }) =>
    Math.max(lastLeaveAtMs + LEAVE_MAX_MS, lastJoinAtMs + JOIN_MAX_MS),
  );
  await crowd.comeBack(gone);
  await presenceExact(community, 'join', ({ lastJoinAtMs }) => lastJoinAtMs + JOIN_MAX_MS);
}

/** Some of its users do not come back, the others come back to the other nodes. */
async function nodeDies(community: Community, revoked: string): Promise<void> {
  const { run, crowd, nodes, users, singles } = community;
  const [victim, ...others] = nodes;
  const gone = [...some(users, users.length / 20), ...some(singles, singles.length / 4)];
  await crowd.leave(gone);
  await victim.kill9();
  const killedAtMs = monoMs();
  run.say('a node is killed');
  await allSettled(community);
  const dueAtMs = ({ lastJoinAtMs }: { lastJoinAtMs: number }) => Math.max(killedAtMs + DEAD_MS + GRACE_MS, lastJoinAtMs + JOIN_MAX_MS);
  await presenceExact(community, 'deadNode', dueAtMs, others);
  await victim.start();
  await victim.untilReady();
  await refusedEverywhere(community, revoked, 'after a restart');
  await crowd.comeBack(gone);
  await presenceExact(community, 'restarted', ({ lastJoinAtMs }) => lastJoinAtMs + JOIN_MAX_MS);
}

/** Meanwhile users leave, and connections move to other nodes. */
async function natsDies(community: Community): Promise<void> {
  const { run, crowd, nodes, nats, users, singles, size } = community;
  const gone = some(users, users.length / 20);
  const late = [...some(users, users.length / 20), ...some(singles, singles.length / 4)].filter((user) => !gone.includes(user));
  await crowd.leave(gone);
  await crowd.setNatsAway(true);
  await nats.kill9();
  run.say('NATS is killed');
  await seconds(size.quick ? 2 : 10);
  await crowd.leave(late);
  await seconds(1);
  await nats.restart();
  const backAtMs = monoMs();
  await crowd.setNatsAway(false);
  await Promise.all(nodes.map((node) => node.untilReady()));
  await allSettled(community);
  const dueAtMs = ({ lastJoinAtMs }: { lastJoinAtMs: number }) => Math.max(backAtMs + LEAVE_MAX_MS, lastJoinAtMs + JOIN_MAX_MS);
  await presenceExact(community, 'natsBack', dueAtMs);
  await crowd.comeBack([...gone, ...late]);
  await presenceExact(community, 'back', ({ lastJoinAtMs }) => lastJoinAtMs + JOIN_MAX_MS);
}

/** @param surplus connections that were opened above the limit */
async function judge({ run, crowd, services }: Community, surplus: number): Promise<void> {
  const report = await crowd.report(services.sent);
  const { received, foreign, duplicates, invented, unclean, lost, foreignAnswers, contradictions, falseLeaves, overLimitMaxMs } = report;
  run.none({ foreign, duplicates, invented, unclean, lost, foreignAnswers, contradictions, falseLeaves, declared: report.declared });
  run.limitMs('overLimitMaxMs', overLimitMaxMs, OVER_LIMIT_MAX_MS);
  run.figure('received', received);
  const ended = report.closeCodes[4008];
  run.expect(ended === surplus, `${ended} connections were closed by the limit, of which ${surplus} were too many`);
  run.expect(received > 0 && report.watched > 0, 'nothing was received or watched');
  for (const hook of ['connect', 'subscribe', 'publish', 'disconnect']) {
    run.expect((services.asked[hook] ?? 0) > 0, `the ${hook} hook was never asked`);
  }
  run.say(JSON.stringify({ ...report, asked: services.asked }));
  if (report.examples.length > 0) run.note(report.examples.join('; '));
}
