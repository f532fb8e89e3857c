import { until } from '../../../support/until.ts';
import type { UserConnections } from '../../people/settings.ts';
import { monoMs } from '../../time.ts';
import { CONNECTIONS_MAX, type Community, refusedAs, some } from './community.ts';

const REVOKED_MAX_MS = 1000;
const RACES = 20;
const ISSUED_AT_S = Math.floor(Date.now() / 1000) - 1;
const RACE_CONNECTIONS = 12;

type Connections = UserConnections['connections'];
/** Oldest first. */
const openOf = (connections: Connections) => connections.filter(({ open }) => open).sort((a, b) => a.connectedAtMs - b.connectedAtMs);

/**
 * The oldest connection of a user is closed by one more, and by a race of many, whatever their nodes are.
 * @returns the number of connections that were closed
 */
export async function limitHolds({ run, crowd, users, nodes, size }: Community): Promise<number> {
  const [user, ...racers] = some(users, 1 + (size.quick ? 3 : RACES)) as [string, ...string[]];
  const ports = nodes.map(({ port }) => port);
  await crowd.leave([user]);
  for (let count = 1; count <= CONNECTIONS_MAX; count++) {
    await crowd.open({ user, ports: [ports[count % ports.length] as number] });
    await until(`${user} to have ${count} connections`, async () => openOf(await crowd.connectionsOf(user)).length === count);
  }
  const [oldest] = openOf(await crowd.connectionsOf(user)) as [Connections[number]];
  const elsewhere = ports.find((port) => port !== oldest.port) as number;
  await crowd.open({ user, ports: [elsewhere] });
  const replaced = async () => (await crowd.connectionsOf(user)).filter(({ closedWith }) => closedWith === 4008);
  await until('the oldest connection to be closed', async () => (await replaced()).length > 0);
  const closed = (await replaced()).map(({ connectionId }) => connectionId);
  run.expect(closed.join() === oldest.connectionId, `${closed.join()} was closed, where ${oldest.connectionId} is the oldest`);
  const racing = Array.from({ length: RACE_CONNECTIONS }, (_, i) => ports[i % ports.length] as number);
  await Promise.all(racers.map((racer) => crowd.open({ user: racer, ports: racing })));
  for (const racer of racers) {
    await until(`${racer} to have ${CONNECTIONS_MAX} connections`, async () => {
      const connections = await crowd.connectionsOf(racer);
      const ended = connections.filter(({ closedWith }) => closedWith === 4008);
      return openOf(connections).length === CONNECTIONS_MAX && ended.length === RACE_CONNECTIONS;
    });
  }
  return 1 + racers.length * RACE_CONNECTIONS;
}

/** From another node than those of the connections, by HTTP and NATS. @returns the user whose tokens are revoked */
export async function endingsReachAll({ run, crowd, users, nodes, services }: Community): Promise<string> {
  const [disconnected, again, removed, revoked, byNats] = some(users, 5) as [string, string, string, string, string];
  const post = async (node: number, path: string, body: object) => {
    const answer = await (nodes[node] as Community['nodes'][number]).post(path, body);
    const told = (await answer.json()) as { nodes?: number; connections?: number };
    run.expect(
      told.nodes === 3 && told.connections === CONNECTIONS_MAX,
      `${path} ${JSON.stringify(body)} was answered with ${JSON.stringify(told)}`,
    );
  };
  const allClosedWith = (user: string, code: number) =>
    until(`the connections of ${user} to be closed with ${code}`, async () => {
      const connections = await crowd.connectionsOf(user);
      return openOf(connections).length === 0 && connections.filter(({ closedWith }) => closedWith === code).length === CONNECTIONS_MAX;
    });
  await post(0, '/api/disconnect', { user: disconnected, reason: 'signed out' });
  await allClosedWith(disconnected, 4010);
  services.control({ action: 'disconnect', user: byNats });
  await allClosedWith(byNats, 4010);
  const oldIds = (await crowd.connectionsOf(again)).map(({ connectionId }) => connectionId);
  await post(1, '/api/disconnect', { user: again, reconnect: true });
  await until(`${again} to be back`, async () => {
    const open = openOf(await crowd.connectionsOf(again));
    return open.length === CONNECTIONS_MAX && open.every(({ connectionId }) => !oldIds.includes(connectionId));
  });
  const [first] = openOf(await crowd.connectionsOf(removed)) as [Connections[number]];
  const topic = first.topics.find((name) => name.startsWith('talk.')) as string;
  await post(2, '/api/unsubscribe', { user: removed, topic });
  await until(`${removed} to be unsubscribed`, async () =>
    (await crowd.connectionsOf(removed)).every(({ topics }) => !topics.includes(topic)),
  );
  const stays = openOf(await crowd.connectionsOf(removed)).every(({ topics }) => topics.some((name) => name.startsWith('room.')));
  run.expect(stays, `${removed} lost more than ${topic}`);
  const askedAtMs = monoMs();
  await post(1, '/api/revoke', { user: revoked });
  await allClosedWith(revoked, 4011);
  run.limitMs('revokedMs', monoMs() - askedAtMs, REVOKED_MAX_MS);
  await refusedEverywhere({ run, nodes }, revoked, 'revoked');
  return revoked;
}

/** Also by a node that has started later. */
export async function refusedEverywhere({ run, nodes }: Pick<Community, 'run' | 'nodes'>, revoked: string, when: string): Promise<void> {
  for (const node of nodes) {
    // Its token was issued before the run.
    const { code, closed } = await refusedAs(node, revoked, ISSUED_AT_S);
    run.expect(code === 'token_revoked' && closed === 4011, `${when}: ${node.name} answered a revoked token with ${code}, ${closed}`);
  }
}
