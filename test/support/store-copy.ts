import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsServer } from './nats-server.ts';

/** A NATS server's store, or a part of it, as it was at one moment. */
export interface StoreCopy {
  /** Kills the server, puts the store back as it was, and starts it again. */
  restore(between?: () => Promise<void>): Promise<void>;
}

/** Kills the server for the copy, and starts it again. @param part a folder in the store; default: all of it */
export async function copyStore(server: NatsServer, part = ''): Promise<StoreCopy> {
  const [store, copy] = [join(server.storeDir, part), `${server.storeDir}-copy`];
  await server.kill9();
  cpSync(store, copy, { recursive: true });
  await server.restart();
  return {
    async restore(between) {
      await server.kill9();
      rmSync(store, { recursive: true });
      cpSync(copy, store, { recursive: true });
      rmSync(copy, { recursive: true });
      await between?.();
      await server.restart();
    },
  };
}
