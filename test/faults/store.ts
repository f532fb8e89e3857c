import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { parseSubject, streamNameOf } from '../../src/bus/subjects.ts';
import type { Stored } from './ledger.ts';

export async function withNats<T>(urls: string | readonly string[], use: (nc: NatsConnection) => Promise<T>): Promise<T> {
  const nc = await connect({ servers: typeof urls === 'string' ? urls : [...urls], maxReconnectAttempts: -1 });
  try {
    return await use(nc);
  } finally {
    await nc.close();
  }
}

/** Everything that lies in a namespace's stream, oldest first: what a run is judged by. Payloads are JSON objects with an `id`. */
export function readStore(urls: string | readonly string[], namespace: string): Promise<Stored[]> {
  return withNats(urls, async (nc) => {
    const stream = streamNameOf(namespace);
    const { state } = await (await jetstreamManager(nc)).streams.info(stream);
    const stored: Stored[] = [];
    if (state.messages === 0) return stored;
    const consumer = await jetstream(nc).consumers.get(stream);
    const messages = await consumer.consume({ max_messages: 5000 });
    for await (const message of messages) {
      const address = parseSubject(message.subject, { state: 'last', topicTokens: 0 });
      if (typeof address !== 'string') stored.push({ topic: address.topic, id: message.json<{ id: number }>().id, offset: message.seq });
      if (message.seq >= state.last_seq) break;
    }
    return stored;
  });
}
