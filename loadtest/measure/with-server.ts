import type { RunningServer, ServerUnderTest, StartSettings } from '../servers/server.ts';
import { GroupSwarm, type SwarmOptions } from './swarms.ts';
import type { Group } from './types.ts';

export interface Stage {
  readonly server: RunningServer;
  /** A swarm that is stopped at the end; not yet connected. */
  swarm(group: Group, options: SwarmOptions): GroupSwarm;
}

/** Starts a server for one run, and stops everything after it, also after errors. */
export async function withServer<T>(server: ServerUnderTest, settings: StartSettings, work: (stage: Stage) => Promise<T>): Promise<T> {
  const running = await server.start(settings);
  const swarms: GroupSwarm[] = [];
  const swarm: Stage['swarm'] = (group, options) => {
    const made = new GroupSwarm(running, group, options);
    swarms.push(made);
    return made;
  };
  try {
    return await work({ server: running, swarm });
  } finally {
    await Promise.all(swarms.map((each) => each.stop()));
    await running.stop();
  }
}
