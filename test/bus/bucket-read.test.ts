import { DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { readBucket } from '../../src/bus/nats/bucket-read.ts';
import type { Connection } from '../../src/bus/nats/connection.ts';

type Receive = (error: Error | null, message: Msg) => void;

it('a read of a bucket goes on when the server waits until what it sent has been received', async () => {
  const published: string[] = [];
  const told: string[] = [];
  let receive: Receive = () => undefined;
  const connection = {
    names: { api: '$JS.API' },
    newInbox: () => 'inbox',
    tell: (subject: string) => void told.push(subject),
    nc: {
      publish: (subject: string) => void published.push(subject),
      subscribe: (_: string, { callback }: { callback: Receive }) => {
        receive = callback;
        return { unsubscribe: () => undefined };
      },
    },
  } as unknown as Connection;
  const jsm = {
    consumers: {
      add: async (_: string, config: object) => {
        expect(config).toMatchObject({ deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: '$KV.bucket.>' });
        return { num_pending: 2, delivered: { consumer_seq: 0 } };
      },
    },
  } as unknown as JetStreamManager;
  const read = readBucket(connection, jsm, 'bucket');
  const entry = (sequence: number, pending: number) =>
    receive(null, { subject: `$KV.bucket.${sequence}`, reply: `$JS.ACK.KV_bucket.c.1.${sequence}.${sequence}.1.${pending}` } as Msg);
  entry(1, 1);
  const headers = { code: 100, get: (name: string) => (name === 'Nats-Consumer-Stalled' ? 'go on' : '') };
  receive(null, { reply: '', headers } as unknown as Msg);
  expect(published).toEqual(['go on']);
  entry(2, 0);
  expect((await read).map(({ subject }) => subject)).toEqual(['$KV.bucket.1', '$KV.bucket.2']);
  expect(told).toEqual([expect.stringMatching(/^\$JS\.API\.CONSUMER\.DELETE\.KV_bucket\./)]);
});
