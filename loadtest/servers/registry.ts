import { centrifugo } from './centrifugo.ts';
import { floor } from './floor.ts';
import { natsWebSocket, uwsNats } from './nats-fed.ts';
import { selfFed } from './self-fed.ts';
import type { ServerUnderTest } from './server.ts';
import { STENTOR_SERVERS } from './stentor.ts';

export const SERVERS: readonly ServerUnderTest[] = [
  ...STENTOR_SERVERS,
  selfFed({ name: 'uws', title: 'bare uWS publish', child: 'uws', dialect: 'plain' }),
  floor,
  uwsNats,
  selfFed({ name: 'ws', title: 'ws', child: 'ws', dialect: 'plain' }),
  selfFed({ name: 'socketio', title: 'Socket.IO', child: 'socketio', dialect: 'socketio' }),
  natsWebSocket,
  centrifugo,
];

/** @throws Error that names the servers there are */
export function serverNamed(name: string): ServerUnderTest {
  const found = SERVERS.find((server) => server.name === name);
  if (found === undefined) throw new Error(`no server "${name}"; there are: ${SERVERS.map((server) => server.name).join(', ')}`);
  return found;
}
