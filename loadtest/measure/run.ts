import type { ServerUnderTest } from '../servers/server.ts';
import type { GroupSwarm } from './swarms.ts';
import type { RunResult, WindowSpec } from './types.ts';
import { measureWindow } from './window.ts';
import { withServer } from './with-server.ts';

/** One run of one server: everybody is connected before the feed starts, and everybody reads. */
export function runServer(server: ServerUnderTest, pair: number, spec: WindowSpec): Promise<RunResult> {
  const { nodes, workers, itemsPerSend } = spec;
  const settings = { nodes, workers, keyed: false, ...(itemsPerSend === undefined ? {} : { itemsPerSend }) };
  return withServer(server, settings, async (stage) => {
    const swarms: GroupSwarm[] = [];
    for (const group of spec.groups) {
      const swarm = stage.swarm(group, { ...spec, keys: 0 });
      swarms.push(swarm);
      await swarm.connect();
    }
    return { server: server.name, pair, ...(await measureWindow({ server: stage.server, swarms, sequences: new Map() }, spec)) };
  });
}
