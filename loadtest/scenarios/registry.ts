import { admission } from './admission.ts';
import { deltas } from './deltas.ts';
import { FLOOR_SCENARIOS } from './floor.ts';
import { growth } from './growth.ts';
import { hooks } from './hooks.ts';
import { hubIntake } from './hub-intake.ts';
import { idleMemory, idleMemoryOfUsers } from './idle-memory.ts';
import { joinStorm } from './join-storm.ts';
import { twelveNodes } from './many-nodes.ts';
import { oneASecond } from './one-a-second.ts';
import { patterns } from './patterns.ts';
import { planCheck } from './plan.ts';
import { PRESENCE_SCENARIOS } from './presence.ts';
import { ROOM_SCENARIOS } from './rooms.ts';
import type { Scenario } from './scenario.ts';
import { sdkClient } from './sdk-client.ts';
import { slowReaders } from './slow-readers.ts';
import { userInterest } from './user-interest.ts';
import { usersReconnect } from './users-reconnect.ts';
import { WATCHLIST_SCENARIOS } from './watchlist.ts';
import { watchlistStalled } from './watchlist-stalled.ts';
import { watchlistSubscribe } from './watchlist-subscribe.ts';
import { wideNamespace } from './wide-namespace.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...ROOM_SCENARIOS,
  ...FLOOR_SCENARIOS,
  ...WATCHLIST_SCENARIOS,
  watchlistStalled,
  watchlistSubscribe,
  oneASecond,
  growth,
  joinStorm,
  admission,
  slowReaders,
  idleMemory,
  idleMemoryOfUsers,
  ...PRESENCE_SCENARIOS,
  userInterest,
  usersReconnect,
  hooks,
  hubIntake,
  wideNamespace,
  planCheck,
  twelveNodes,
  sdkClient,
  deltas,
  patterns,
];

/** @throws Error that names the scenarios there are */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario "${name}"; there are: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}`);
  return found;
}
