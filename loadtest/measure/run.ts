import type { ServerUnderTest } from '../servers/server.ts';
import { weighSubscriptions } from './memory.ts';
import type { RunResult, WindowSpec } from './types.ts';
import { measureWindow } from './window.ts';
import { withServer } from './with-server.ts';

/** One run of one server: everybody is connected before the feed starts, and everybody reads. */
export function runServer(server: ServerUnderTest, pair: number, spec: WindowSpec): Promise<RunResult> {
  const { nodes, workers, itemsPerSend, weighSubscriptions: weighs = false } = spec;
  const settings = { nodes, workers, keyed: false, ...(itemsPerSend === undefined ? {} : { itemsPerSend }) };
  return withServer(server, settings, async (stage) => {
    const swarms = spec.groups.map((group) => stage.swarm(group, { ...spec, keys: 0, later: weighs }));
    for (const swarm of swarms) await swarm.connect();
    const memory = weighs ? await weighSubscriptions(stage.server, swarms) : undefined;
    const measured = await measureWindow({ server: stage.server, swarms, sequences: new Map() }, spec);
    if (memory === undefined) return { server: server.name, pair, ...measured };
    const extra = { ...measured.extra, bytesPerSubscription: memory.bytesPerSubscription, bytesPerSubscriptionFed: await memory.fed() };
    return { server: server.name, pair, ...measured, extra };
  });
}
