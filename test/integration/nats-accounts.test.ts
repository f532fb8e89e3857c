import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { setUpNats } from '../../src/bus/nats/set-up.ts';
import { busConfig } from '../bus/nats-config.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { ROLES, roleSettings } from '../support/nats-roles.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = { scores: { public: true }, secret: { public: true }, user: { durable: false } };
const README = readFileSync(resolve(import.meta.dirname, '../../src/bus/README.md'), 'utf8');

/** The documented accounts, with the documented roles. */
function accountsText(): string {
  const [, accounts = ''] = /<!-- accounts:start -->\s*```conf\n([\s\S]*?)```/.exec(README) ?? [];
  const roles = ROLES.slice(ROLES.indexOf('{') + 1, ROLES.indexOf('users = ['));
  return `${roles}\n${accounts}`;
}

/** Both namespaces are the node's. The producer's is `scores`. */
const withSecret = (config: string) => {
  const [head = '', ...rest] = config.split('# A producer.');
  const node = head.replace(
    /^( *"[^"\n]*stentor-scores[^"\n]*")$/gm,
    (line) => `${line}\n${line.replace('stentor-scores', 'stentor-secret')}`,
  );
  return [node, ...rest].join('# A producer.');
};

/** What the producer makes NATS acknowledge to. */
const ADDRESSES = ['stentor.send.namespace.scores', 'feed.secret.a', 'stentor.control', '$KV.stentor-epochs.scores'];

describe.each(natsServerBinaries())('a producer that lets its publication be acknowledged to somebody else (%s)', (binary) => {
  async function attack(config: string): Promise<TestClient> {
    const server = await startNatsServer({ binary, config: withSecret(config) });
    ends.push(() => server.stop());
    await setUpNats(busConfig(server.url, { namespaces: NAMESPACES, ...roleSettings('SETUP') }), () => undefined);
    const node = await TestNode.start({
      namespaces: NAMESPACES,
      'nats.url': server.url,
      'nats.manageStreams': false,
      ...roleSettings('NODE'),
    });
    ends.push(() => node.stop());
    const producer = await asProducer(server);
    const client = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'ann' }) });
    for (const topic of ['scores.a', 'secret.a', 'user.ann']) await client.subscribe(topic);
    producer.publish('feed.user.ann', '"ephemeral"');
    await client.next('batch', ({ topic }) => topic === 'user.ann');
    for (const reply of ADDRESSES) producer.publish('feed.scores.a', '"with a reply"', { reply });
    // Acknowledgements come in order, so those before have been sent.
    const { seq } = await jetstream(producer).publish('feed.scores.a', '"the last"', { msgID: 'one' });
    const again = await jetstream(producer).publish('feed.scores.a', '"the last"', { msgID: 'one' });
    expect(again).toMatchObject({ seq, duplicate: true });
    await client.next('batch', ({ items }) => items.some((item) => item.length > 1 && item[2] === 'the last'));
    await client.settle();
    return client;
  }

  const ends: (() => unknown)[] = [];
  afterAll(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function asProducer(server: NatsServer): Promise<NatsConnection> {
    const { 'nats.user': user = '', 'nats.password': pass = '', 'nats.inboxPrefix': inboxPrefix = '' } = roleSettings('PRODUCER');
    const producer = await connect({ servers: server.url, user, pass, inboxPrefix });
    ends.push(() => producer.close());
    return producer;
  }

  it('reaches clients and other namespaces in the account of the nodes, which NATS does not check', async () => {
    const client = await attack(ROLES);
    await client.next('message');
    await client.next('batch', ({ topic }) => topic === 'secret.a');
  });

  it('reaches nobody in an account of its own, and publishes as before', async () => {
    const client = await attack(accountsText());
    expect(client.messages.filter((message) => message.type === 'message')).toEqual([]);
    expect(client.messages.filter((message) => message.type === 'batch' && message.topic === 'secret.a')).toEqual([]);
  });
});
