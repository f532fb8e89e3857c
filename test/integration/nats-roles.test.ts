import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setUpNats } from '../../src/bus/nats/set-up.ts';
import { busConfig } from '../bus/nats-config.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type Attempt, denials } from '../support/nats-denials.ts';
import { permissionsOf, ROLES, type Role, roleSettings } from '../support/nats-roles.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';

const NAMESPACES = { scores: {}, user: { durable: false } };

const publish = (...subjects: string[]): Attempt[] => subjects.map((subject) => ({ right: 'publish', subject }));
const subscribe = (...subjects: string[]): Attempt[] => subjects.map((subject) => ({ right: 'subscribe', subject }));

const CHANGES = ['UPDATE', 'PURGE', 'DELETE', 'MSG.DELETE', 'SNAPSHOT', 'RESTORE'].map((what) => `$JS.API.STREAM.${what}.stentor-scores`);
const READS = [
  '$JS.API.STREAM.MSG.GET.stentor-scores',
  '$JS.API.DIRECT.GET.stentor-scores',
  '$JS.API.CONSUMER.CREATE.stentor-scores.x',
  '$JS.API.CONSUMER.DURABLE.CREATE.stentor-scores.x',
];
const NODES_ONLY = ['stentor.nodes', 'stentor.presence.scores', 'stentor.users.x', 'stentor.control', 'stentor.control.x'];
const TO_CLIENTS = ['stentor.send.namespace.scores', 'stentor.call.c.1'];
const EPOCHS = ['$KV.stentor-epochs.scores', '$KV.stentor-lives.scores'];
const SERVER = ['$SYS.REQ.SERVER.PING', '$SYS.REQ.USER.INFO', '$JS.API.STREAM.CREATE.mine', '$JS.API.STREAM.NAMES', '$JS.API.INFO'];
const everythingOf = (prefix: string) => [`${prefix}.>`, `${prefix}.scores.a`];

/** What each role must not do. */
const FORBIDDEN: Readonly<Record<Role, readonly Attempt[]>> = {
  PRODUCER: [
    ...publish(...CHANGES, ...READS, ...NODES_ONLY, ...TO_CLIENTS, ...EPOCHS, ...SERVER),
    ...publish(
      'rpc.pay',
      'feed.other.a',
      'image.scores.a',
      '_INBOX_node.1',
      '_INBOX_service.1',
      '$JS.ACK.stentor-scores.x.1.1.1.1.1',
      '$JS.FC.stentor-scores.x',
    ),
    ...subscribe('>', ...everythingOf('feed'), 'feed.user.a', 'rpc.>', '_INBOX_node.>', '_INBOX.>', 'stentor.>', '$JS.>', '$KV.>'),
  ],
  SERVICE: [
    ...publish(...CHANGES, ...READS, ...NODES_ONLY, ...TO_CLIENTS, ...EPOCHS, ...SERVER),
    ...publish('feed.scores.a', 'feed.user.a', 'rpc.pay', '_INBOX_node.1'),
    ...subscribe('>', ...everythingOf('feed'), '_INBOX_node.>', 'stentor.>', '$JS.>', '$KV.>'),
  ],
  NODE: [
    ...publish(...CHANGES, '$JS.API.STREAM.CREATE.stentor-scores', '$JS.API.CONSUMER.DURABLE.CREATE.stentor-scores.x', ...SERVER),
    ...publish(
      '$JS.API.STREAM.DELETE.KV_stentor-epochs',
      '$JS.API.STREAM.PURGE.KV_stentor-epochs',
      '$JS.API.STREAM.CREATE.KV_stentor-lives',
    ),
    ...publish('feed.other.a', '_INBOX_producer.1', 'other.a'),
    ...subscribe('>', ...everythingOf('feed'), 'rpc.>', '_INBOX_producer.>', '_INBOX_service.>', '_INBOX.>', 'stentor.>', '$KV.>'),
  ],
  SETUP: [
    ...publish(...CHANGES, ...READS, ...NODES_ONLY, ...TO_CLIENTS, ...EPOCHS, 'feed.scores.a', 'rpc.pay', '$SYS.REQ.SERVER.PING'),
    ...subscribe('>', ...everythingOf('feed'), 'stentor.>', '_INBOX_node.>', '$JS.>', '$KV.>'),
  ],
};

const written = ({ right, subject }: Attempt) => `${right} ${subject}`;

describe.each(natsServerBinaries())('the documented roles in NATS (%s)', (binary) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer({ binary, config: ROLES });
    await setUpNats(busConfig(server.url, { namespaces: NAMESPACES, ...roleSettings('SETUP') }), () => undefined);
  });
  afterAll(() => server?.stop());

  const as = (role: Role, attempts: readonly Attempt[]) => {
    const { 'nats.user': user = '', 'nats.password': pass = '' } = roleSettings(role);
    return denials({ port: server.port, user, pass }, attempts);
  };

  it.each(Object.keys(FORBIDDEN) as Role[])('%s is denied each thing that it must not do', async (role) => {
    const attempts = FORBIDDEN[role];
    expect([...(await as(role, attempts))].sort()).toEqual([...new Set(attempts.map(written))].sort());
  });

  it.each(Object.keys(FORBIDDEN) as Role[])('%s is denied nothing that it is given', async (role) => {
    const attempts = permissionsOf(role).filter(({ right }) => right === 'subscribe');
    expect([...(await as(role, attempts))]).toEqual([]);
  });
});
