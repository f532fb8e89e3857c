import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../support/certificates.ts';
import { DocumentFollower } from '../support/document-follower.ts';
import { EventClient } from '../support/event-client.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { BookGenerator, isRight } from '../support/order-book.ts';
import { ca as caOfProxies, PROXY_KINDS, removeProxyFiles } from '../support/page-proxies.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-sse-documents-'));
const certs = makeCertificates(folder);
const TLS = { 'tls.certFile': certs.server.cert, 'tls.keyFile': certs.server.key };
const NAMESPACES = {
  books: { public: true, state: 'document', slowConsumer: 'conflate', maxPayloadBytes: 60_000 },
  scores: { public: true },
};

let nats: NatsServer;
let topics = 0;
const running: (() => unknown)[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
});
afterAll(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
  await nats?.stop();
  removeProxyFiles();
  rmSync(folder, { recursive: true, force: true });
});

async function startNodes(count: number, settings: Readonly<Record<string, unknown>>): Promise<TestNode[]> {
  const nodes: TestNode[] = [];
  for (let i = 0; i < count; i++) {
    const node = await TestNode.start({ 'nats.url': nats.url, namespaces: NAMESPACES, ...settings });
    running.push(() => node.stop());
    nodes.push(node);
  }
  return nodes;
}

/**
 * A book changes on all nodes in turn. Three streams follow it, of which each is cut and comes back with its last id several times, wherever the address leads;
 * and with them numbers of a topic without a document.
 */
async function followThroughCuts(port: number, ca: Buffer, nodes: readonly TestNode[]): Promise<void> {
  const book = `books.t${topics}`;
  const numbers = `scores.t${topics++}`;
  const generator = new BookGenerator(40);
  const node = (n: number) => nodes[n % nodes.length] as TestNode;
  await node(0).publish(book, generator.image().patch, { image: true });
  const members = ['', '&maxRateHz=20', ''].map((options) => {
    const open = (lastEventId?: string) =>
      new EventClient(port, `/sse?topic=${book}&topic=${numbers}&snapshot=true${options}`, {
        ca,
        ...(lastEventId !== undefined && { lastEventId }),
      });
    return {
      open,
      client: open(),
      follower: new DocumentFollower(book, isRight),
      numbers: [] as number[],
      cuts: 0,
      isRated: options !== '',
    };
  });
  const take = (member: (typeof members)[number]) => {
    member.follower.take(member.client);
    return member.follower.offset;
  };
  const numbersOf = (client: EventClient) => (client.items(numbers) as [number, null, { n: number }][]).map(([, , { n }]) => n);
  await Promise.all(members.map(({ client }) => client.next('subscribed', 2)));
  let last = 0;
  let published = 0;
  for (let n = 0; n < 600; n++) {
    const { patch, image } = generator.next();
    last = (await node(n).publish(book, patch, { image })).offset;
    if (n % 3 === 0) await node(n).publish(numbers, { n: published++ });
    if (n % 50 !== 49) continue;
    const member = members[((n / 50) % 3) | 0] as (typeof members)[number];
    member.client.socket.destroy();
    await member.client.closed;
    take(member);
    member.numbers.push(...numbersOf(member.client));
    member.follower.reconnected();
    member.client = member.open(member.client.lastEventId);
    member.cuts++;
  }
  for (const member of members) {
    await until('the whole book', () => take(member) >= last);
    expect(member.follower).toMatchObject({ gaps: 0, wrong: 0, document: generator.book });
    expect(member.follower.checks).toBeGreaterThan(10);
    expect(member.cuts).toBe(4);
    const all = () => [...member.numbers, ...numbersOf(member.client)];
    await until('the last number', () => all().at(-1) === published - 1);
    // A rate class leaves numbers out, because the topic has no keys.
    if (!member.isRated) expect(all()).toEqual(Array.from({ length: published }, (_, i) => i));
    member.client.socket.destroy();
  }
}

describe('streams of events with documents come right through cuts', () => {
  it('over TLS of a node', async () => {
    const nodes = await startNodes(1, TLS);
    await followThroughCuts((nodes[0] as TestNode).running.port, readFileSync(certs.ca), nodes);
  });

  it.for(PROXY_KINDS.filter(({ program }) => program !== undefined).map((kind) => [kind.name, kind] as const))(
    'behind %s with the configuration of PROXIES.md, on two nodes',
    async ([, kind]) => {
      const nodes = await startNodes(2, { 'tls.terminatedUpstream': true });
      const proxy = await kind.start(nodes);
      running.push(() => proxy.stop());
      await followThroughCuts(proxy.port, caOfProxies, nodes);
      // Both have had streams, or the cuts said nothing about coming back to another node.
      for (const node of nodes) expect(await node.metric('stentor_recoveries_total')).toBeGreaterThan(0);
    },
  );
});
