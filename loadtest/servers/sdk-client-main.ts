import { WebSocket } from 'ws';
import { type Client, createClient } from '../../src/client/index.ts';
import { serveCalls } from '../core/rpc.ts';

/** One client of the SDK, in a process of its own, so that its cost is told by /proc. */

let client: Client | undefined;
let received = 0;

serveCalls(
  {
    async subscribe({ url, topic }: { url: string; topic: string }) {
      client = createClient({ url, WebSocket: globalThis.WebSocket ?? WebSocket });
      client.topic(topic).subscribe(() => {
        received++;
      });
      await client.connect();
    },
    report: () => ({ received, ...client?.stats() }),
  },
  () => client?.close(),
);
