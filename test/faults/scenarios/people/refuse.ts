import { makeToken } from '../../../../loadtest/swarm/token.ts';
import { TestClient } from '../../../support/test-client.ts';
import { SECRET } from '../../../support/tokens.ts';
import { until } from '../../../support/until.ts';
import type { FaultRun } from '../../fault-run.ts';
import type { RestartableNode } from '../../restartable-node.ts';
import { seconds } from '../../time.ts';
import { CONNECTIONS_MAX } from './community.ts';

const RACE = 12;

/** Two nodes with `limits.tooManyConnections: refuse`: no connection of a user above the limit is let in, and a killed node's connections do not count. */
export async function refusesAboveLimit(run: FaultRun): Promise<void> {
  const nats = await run.nats();
  const settings = {
    namespaces: { live: { durable: false } },
    'limits.connectionsPerUserMax': CONNECTIONS_MAX,
    'limits.tooManyConnections': 'refuse',
  };
  const nodes = [await run.node([nats.url], { settings }), await run.node([nats.url], { settings })] as const;
  const open = new Set<TestClient>();
  run.onEnd(() => Promise.all([...open].map((client) => client.close())));

  const first = await Promise.all([0, 0, 0, 1, 1].map((at) => connectTo(nodes[at] as RestartableNode, 'ann', open)));
  run.expect(
    first.every((code) => code === 'connected'),
    `with refuse, 5 connections: ${first.join()}`,
  );
  const sixth = await connectTo(nodes[1], 'ann', open);
  run.expect(sixth === 'too_many_connections 4008', `with refuse, a sixth connection: ${sixth}`);

  const race = await Promise.all(Array.from({ length: RACE }, (_, i) => connectTo(nodes[i % 2] as RestartableNode, 'bob', open)));
  await until(
    'the race to settle',
    () => [...open].filter((client) => userOf(client) === 'bob' && isOpen(client)).length === CONNECTIONS_MAX,
  );
  run.expect(race.filter((code) => code === 'connected').length >= CONNECTIONS_MAX, `with refuse, a race: ${race.join()}`);

  await nodes[1].kill9();
  await until('the clients to be cut off', () => [...open].filter((client) => userOf(client) === 'ann' && isOpen(client)).length === 3);
  // As long as the SDK waits at least before it reconnects.
  await seconds(0.5);
  const back = [await connectTo(nodes[0], 'ann', open), await connectTo(nodes[0], 'ann', open)];
  run.expect(back.join() === 'connected,connected', `with refuse, two that were on a killed node: ${back.join()}`);
  const above = await connectTo(nodes[0], 'ann', open);
  run.expect(above === 'too_many_connections 4008', `with refuse, one too many after a node was killed: ${above}`);

  await nats.kill9();
  await until('NATS to be away', async () => (await nodes[0].metric('stentor_bus_connected')) === 0);
  const away = await connectTo(nodes[0], 'ann', open);
  run.expect(away === 'too_many_connections 4008', `with refuse, one too many without NATS: ${away}`);
}

const users = new WeakMap<TestClient, string>();
const userOf = (client: TestClient) => users.get(client);
const isOpen = ({ socket }: TestClient) => socket.readyState === socket.OPEN;

/** @returns `connected`, or the code of the error and of the close */
async function connectTo(node: RestartableNode, user: string, open: Set<TestClient>): Promise<string> {
  const client = await TestClient.connect(node.url, { encoding: 'json', token: makeToken(user, SECRET) });
  users.set(client, user);
  open.add(client);
  const first = await Promise.race([client.next('connected'), client.next('error')]).catch((error: unknown) => ({ type: String(error) }));
  if (first.type !== 'error') return first.type;
  open.delete(client);
  return `${(first as { code: string }).code} ${(await client.closed).code}`;
}
