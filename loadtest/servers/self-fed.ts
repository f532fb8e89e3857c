import { type ChildName, childScript } from '../build.ts';
import { Child } from '../core/rpc.ts';
import type { DialectName } from '../swarm/dialects.ts';
import type { Listening, RunningServer, ServerUnderTest } from './server.ts';

interface SelfFed {
  readonly name: string;
  readonly title: string;
  readonly child: ChildName;
  readonly dialect: DialectName;
}

/** A peer in one process that publishes on the plan's schedule by itself. */
export function selfFed({ name, title, child, dialect }: SelfFed): ServerUnderTest {
  return {
    name,
    title,
    missing: () => undefined,
    async start({ nodes }): Promise<RunningServer> {
      if (nodes !== 1) throw new Error(`${name} has no way to share a feed between ${nodes} processes`);
      const process = new Child(name, childScript(child));
      const { port } = await process.call<Listening>('start').catch((error) => process.stop().then(() => Promise.reject(error)));
      return {
        dialect,
        ports: [port],
        pids: [process.pid],
        selfFed: true,
        feed: (plan) => process.call('feed', plan),
        stop: () => process.stop(),
      };
    },
  };
}
