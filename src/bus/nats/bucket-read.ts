import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import type { Connection } from './connection.ts';
import { OrderedConsumer } from './ordered-consumer.ts';

/**
 * The latest entry of each key of a bucket, also of those that were deleted. The NATS client has a reader too, which leaves its consumer in the server for five
 * minutes.
 *
 * @throws what the client throws, or an Error if the consumer ends before it has delivered them
 */
export function readBucket(connection: Connection, jsm: JetStreamManager, bucket: string): Promise<Msg[]> {
  const found: Msg[] = [];
  return new Promise((resolve, reject) => {
    const done = () => {
      consumer.stop();
      resolve(found);
    };
    const consumer = new OrderedConsumer(
      connection,
      { stream: `KV_${bucket}`, api: connection.names.api },
      {
        onMessage: (message, { pending }) => {
          found.push(message);
          if (pending === 0) done();
        },
        // Nothing follows, unless it waits until what it sent has been received.
        onHeartbeat: ({ stalled }) => !stalled && done(),
        onEnded: (reason) => reject(new Error(`bucket ${bucket}: ${reason}`)),
      },
    );
    consumer.startWithLatest(jsm, `$KV.${bucket}.>`).then((isAny) => !isAny && done(), reject);
  });
}
