import { cpSync, rmSync } from 'node:fs';
import type { NatsServer } from './nats-server.ts';

/** A NATS server's store as it was at one moment. */
export interface StoreCopy {
  /** Kills the server, puts the store back as it was, and starts it again. */
  restore(between?: () => Promise<void>): Promise<void>;
}

/** Kills the server for the copy, and starts it again. */
export async function copyStore(server: NatsServer): Promise<StoreCopy> {
  const copy = `${server.storeDir}-copy`;
  await server.kill9();
  cpSync(server.storeDir, copy, { recursive: true });
  await server.restart();
  return {
    async restore(between) {
      await server.kill9();
      rmSync(server.storeDir, { recursive: true });
      cpSync(copy, server.storeDir, { recursive: true });
      rmSync(copy, { recursive: true });
      await between?.();
      await server.restart();
    },
  };
}
