import { connect } from '@nats-io/transport-node';
import { serveCalls } from '../core/rpc.ts';
import type { Listening } from './server.ts';
import { startUwsApp } from './uws-app.ts';

/** The least that brings NATS to WebSockets: the bare client, and native publish of every message as it comes. */
const FEED_PREFIX = 'feed.';

async function start({ natsUrl }: { natsUrl: string }): Promise<Listening> {
  const { app, port } = await startUwsApp();
  const connection = await connect({ servers: natsUrl });
  connection.subscribe(`${FEED_PREFIX}>`, {
    callback: (error, message) => {
      if (error === null) app.publish(message.subject.slice(FEED_PREFIX.length), message.data, false);
    },
  });
  await connection.flush();
  return { port };
}

serveCalls({ start });
