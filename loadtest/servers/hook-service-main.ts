import { connect, type NatsConnection } from '@nats-io/transport-node';
import { serveCalls } from '../core/rpc.ts';

/** A service that allows everything, at once: the answers of `bench.kept` may be kept. */
const ANSWERS = { 'bench.hooks': '{"allow":true}', 'bench.kept': '{"allow":true,"cacheMs":3600000}' };

let nats: NatsConnection | undefined;

async function start({ natsUrl }: { natsUrl: string }): Promise<void> {
  const connection = await connect({ servers: natsUrl });
  nats = connection;
  for (const [subject, answer] of Object.entries(ANSWERS))
    connection.subscribe(subject, { callback: (_, message) => void message.respond(answer) });
  await connection.flush();
}

serveCalls({ start }, () => nats?.close());
