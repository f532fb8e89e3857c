import { connect, type NatsConnection } from '@nats-io/transport-node';
import { PayloadMaker } from '../../src/bench/stamp.ts';
import type { FeedPlan } from '../core/feed.ts';
import { runFeed } from '../core/feeder.ts';
import { serveCalls } from '../core/rpc.ts';
import { natsSubject } from '../swarm/dialects.ts';

/** The producer beside the servers that are fed by NATS: any NATS client would do the same. */
let connection: NatsConnection;

async function start({ natsUrl }: { natsUrl: string }): Promise<void> {
  connection = await connect({ servers: natsUrl });
}

function publish(topic: string, payload: Buffer, key: string | null): void {
  connection.publish(key === null ? natsSubject(topic) : `${natsSubject(topic)}.${key}`, payload);
}

/** As many as NATS takes, for the intake of a hub: no schedule. */
async function flood({ topic, count, payloadBytes }: { topic: string; count: number; payloadBytes: number }): Promise<void> {
  const payload = new PayloadMaker(payloadBytes).make(0, 0, 0);
  const subject = natsSubject(topic);
  for (let sent = 0; sent < count; sent++) {
    connection.publish(subject, payload);
    // The client buffers without bound: a flush now and then keeps it to what the server has taken.
    if (sent % 5000 === 4999) await connection.flush();
  }
  await connection.flush();
}

serveCalls({ start, feed: (plan: FeedPlan) => runFeed(plan, publish), flood }, () => connection?.close());
