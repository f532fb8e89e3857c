import type { Scenario } from './scenario.ts';
import { answersFlood } from './scenarios/answers-flood.ts';
import { arrayFlood } from './scenarios/array-flood.ts';
import { bookRecovery } from './scenarios/book-recovery.ts';
import { callFlood } from './scenarios/call-flood.ts';
import { certificatesRenewed } from './scenarios/certificates-renewed.ts';
import { clockSkew } from './scenarios/clock-skew.ts';
import { descriptors } from './scenarios/descriptors.ts';
import { documents } from './scenarios/documents.ts';
import { frameFlood } from './scenarios/frame-flood.ts';
import { halfOpen } from './scenarios/half-open.ts';
import { hostileLimits } from './scenarios/hostile-limits.ts';
import { sameKey, sameKeyElsewhere } from './scenarios/idempotency.ts';
import { lastMessage } from './scenarios/last-message.ts';
import { leaderKilled } from './scenarios/leader-killed.ts';
import { limitsFlood } from './scenarios/limits-flood.ts';
import { natsCut } from './scenarios/nats-cut.ts';
import { natsKilled } from './scenarios/nats-killed.ts';
import { nodeKilled } from './scenarios/node-killed.ts';
import { pastRetention } from './scenarios/past-retention.ts';
import { people } from './scenarios/people.ts';
import { peopleFlood } from './scenarios/people-flood.ts';
import { reconnectStorm } from './scenarios/reconnect-storm.ts';
import { requestFlood } from './scenarios/request-flood.ts';
import { rollback } from './scenarios/rollback.ts';
import { rollingRestart } from './scenarios/rolling-restart.ts';
import { soak } from './scenarios/soak.ts';
import { staleTopics } from './scenarios/stale-topics.ts';
import { stoppedReaders } from './scenarios/stopped-readers.ts';
import { streamCut } from './scenarios/stream-cut.ts';
import { tokens } from './scenarios/tokens.ts';
import { withinLimits } from './scenarios/within-limits.ts';
import { workerKilled } from './scenarios/worker-killed.ts';

/** By number in the matrix of faults (README.md). */
export const SCENARIOS: readonly Scenario[] = [
  nodeKilled,
  workerKilled,
  natsKilled,
  leaderKilled,
  natsCut,
  stoppedReaders,
  reconnectStorm,
  rollingRestart,
  descriptors,
  sameKey,
  sameKeyElsewhere,
  tokens,
  rollback,
  pastRetention,
  lastMessage,
  hostileLimits,
  soak,
  clockSkew,
  answersFlood,
  frameFlood,
  callFlood,
  halfOpen,
  arrayFlood,
  certificatesRenewed,
  people,
  documents,
  bookRecovery,
  requestFlood,
  streamCut,
  peopleFlood,
  limitsFlood,
  staleTopics,
  withinLimits,
];
