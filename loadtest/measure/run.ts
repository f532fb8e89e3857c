import type { ServerUnderTest } from '../servers/server.ts';
import { GroupSwarm } from './swarms.ts';
import type { RunResult, WindowSpec } from './types.ts';
import { measureWindow } from './window.ts';

/** One run of one server: start, connect everybody, measure, stop everything, whatever happens. */
export async function runServer(server: ServerUnderTest, pair: number, spec: WindowSpec): Promise<RunResult> {
  const running = await server.start({ nodes: spec.nodes, workers: spec.workers, keyed: false });
  const swarms: GroupSwarm[] = [];
  try {
    for (const group of spec.groups) {
      const swarm = new GroupSwarm(running, group, { ...spec, keys: 0 });
      swarms.push(swarm);
      await swarm.connect();
    }
    return { server: server.name, pair, ...(await measureWindow({ server: running, swarms, sequences: new Map() }, spec)) };
  } finally {
    await Promise.all(swarms.map((swarm) => swarm.stop()));
    await running.stop();
  }
}
