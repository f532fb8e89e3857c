import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import { type Msg, nanos, nuid } from '@nats-io/transport-node';
import type { Connection } from './connection.ts';
import { parseDelivery } from './delivery.ts';

const INACTIVE_MS = 10_000;
/** When nothing follows, the server says so this often. */
const HEARTBEAT_MS = 1000;

export interface BucketRead {
  readonly bucket: string;
  readonly jsm: JetStreamManager;
  readonly timeoutMs: number;
}

/**
 * The latest entry of each key of a bucket, also of those that were deleted. The NATS client has a reader too, which leaves its consumer in the server for five
 * minutes.
 *
 * @throws what the client throws, or an Error if the entries do not arrive in time
 */
export async function readBucket(connection: Connection, { bucket, jsm, timeoutMs }: BucketRead): Promise<Msg[]> {
  const { nc, names } = connection;
  const stream = `KV_${bucket}`;
  const name = `stentor_read_${nuid.next()}`;
  const found: Msg[] = [];
  const inbox = connection.newInbox();
  const all = new Promise<void>((resolve, reject) => {
    const subscription = nc.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) return end(error);
        const delivery = parseDelivery(message.reply ?? '');
        if (delivery === undefined) return status(message);
        found.push(message);
        if (delivery.pending === 0) end();
      },
    });
    const end = (error?: Error) => {
      clearTimeout(timer);
      subscription.unsubscribe();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => end(new Error(`the bucket was not read within ${timeoutMs} ms`)), timeoutMs);
    const status = ({ headers, reply = '' }: Msg) => {
      if (headers?.code !== 100) return end(new Error(`${headers?.code} ${headers?.description}`));
      // A request of flow control wants an answer; a heartbeat comes when nothing follows.
      if (reply === '') return end();
      nc.publish(reply);
    };
    jsm.consumers
      .add(stream, {
        name,
        deliver_subject: inbox,
        filter_subject: `$KV.${bucket}.>`,
        deliver_policy: DeliverPolicy.LastPerSubject,
        ack_policy: AckPolicy.None,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        flow_control: true,
        idle_heartbeat: nanos(HEARTBEAT_MS),
        inactive_threshold: nanos(INACTIVE_MS),
      })
      .then(({ num_pending, delivered }) => num_pending === 0 && delivered.consumer_seq === 0 && end(), end);
  });
  try {
    await all;
    return found;
  } finally {
    // Nobody waits for the answer: a consumer that is left behind is deleted after INACTIVE_MS.
    connection.tell(`${names.api}.CONSUMER.DELETE.${stream}.${name}`);
  }
}
