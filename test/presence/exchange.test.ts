import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SILENT_MS } from '../../src/presence/exchange.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { GRACE_MS, SETTLED_MS, SimulatedCluster, type SimulatedNode, STEP_MS } from './simulated-nodes.ts';

const A = 'chat.a' as Topic;
const B = 'chat.b' as Topic;
const TOPICS = [A, B];

function clusterOf(
  nodes: number,
  more: Partial<ConstructorParameters<typeof SimulatedCluster>[0]> = {},
): { cluster: SimulatedCluster; nodes: SimulatedNode[] } {
  const cluster = new SimulatedCluster({ topics: TOPICS, ...more });
  return { cluster, nodes: Array.from({ length: nodes }, () => cluster.start()) };
}

describe('presence of several nodes', () => {
  it('shows a new member on every node within 2 s', () => {
    const { cluster, nodes } = clusterOf(3);
    cluster.advance(2000);
    cluster.connect(nodes[0] as SimulatedNode, A, 'ann');
    cluster.advance(1250);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
  });

  it('removes a member within the grace time and 2 s, and not before the grace time is over', () => {
    const { cluster, nodes } = clusterOf(2);
    const ann = cluster.connect(nodes[0] as SimulatedNode, A, 'ann');
    cluster.advance(2000);
    cluster.end(ann);
    cluster.advance(GRACE_MS - STEP_MS);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
    cluster.advance(2000 + STEP_MS);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 0, members: [] });
  });

  it.each(['the same node', 'another node'])('reports nothing if a user is back on %s within the grace time', (where) => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    const before = cluster.connect(a, A, 'ann');
    cluster.advance(3000);
    for (const node of nodes) node.watched.get(A)?.log.splice(0);
    cluster.end(before);
    cluster.advance(1000);
    cluster.connect(where === 'another node' ? b : a, A, 'ann');
    cluster.advance(SETTLED_MS);
    for (const node of nodes) {
      expect(node.watched.get(A)?.log).toEqual([]);
      expect(node.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
    }
  });

  it('removes at once a member that unsubscribes, and an anonymous client that closes: it cannot come back as the same member', () => {
    const { cluster, nodes } = clusterOf(2);
    const ann = cluster.connect(nodes[0] as SimulatedNode, A, 'ann');
    const anonymous = cluster.connect(nodes[0] as SimulatedNode, A, null);
    cluster.advance(2000);
    cluster.end(ann, false);
    cluster.end(anonymous);
    cluster.advance(1500);
    for (const node of nodes) expect(node.watched.get(A)?.state.members).toEqual([]);
  });

  it('keeps the members of a killed node for the grace time, and has removed them 5 s after it', () => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    cluster.connect(a, A, 'ann');
    cluster.connect(b, A, 'bob');
    cluster.advance(2000);
    cluster.kill(a);
    cluster.advance(GRACE_MS);
    expect(b.watched.get(A)?.state).toEqual({ count: 2, members: ['uann', 'ubob'] });
    cluster.advance(5000);
    expect(b.watched.get(A)?.state).toEqual({ count: 1, members: ['ubob'] });
    expect(b.exchange.peers).toBe(0);
  });

  it('removes the members of a node that stops after the grace time', () => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    cluster.connect(a, A, 'ann');
    cluster.advance(2000);
    a.exchange.stop();
    cluster.kill(a);
    cluster.advance(GRACE_MS + 2 * STEP_MS);
    expect(b.watched.get(A)?.state).toEqual({ count: 0, members: [] });
  });

  it('keeps the users of a crashed worker for the grace time, and reports nothing of those that come back on another worker', () => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    cluster.connect(a, A, 'ann', 0);
    cluster.connect(a, A, 'bob', 0);
    cluster.connect(a, A, 'eve', 1);
    cluster.advance(2000);
    b.watched.get(A)?.log.splice(0);
    cluster.crashWorker(a, 0);
    cluster.connect(a, A, 'ann', 1);
    cluster.advance(GRACE_MS + 2000);
    expect(b.watched.get(A)?.log.filter((line) => line !== '')).toEqual(['-ubob']);
    expect(b.watched.get(A)?.state).toEqual({ count: 2, members: ['uann', 'ueve'] });
  });

  it('is correct again 2 s after a lost message', () => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    cluster.advance(5000);
    cluster.loses = () => true;
    cluster.connect(a, A, 'ann');
    cluster.advance(1000);
    cluster.loses = () => false;
    cluster.advance(2000);
    expect(b.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
    expect(b.exchange.counters.gaps).toBe(1);
  });

  it('sends one message a second and node, however many topics change', () => {
    const topics = Array.from({ length: 300 }, (_, i) => `chat.t${i}` as Topic);
    const { cluster, nodes } = clusterOf(3, { topics });
    cluster.advance(10_000);
    cluster.messages = 0;
    for (let second = 0; second < 10; second++) {
      for (const topic of topics) cluster.connect(nodes[second % 3] as SimulatedNode, topic, `user-${second}`);
      cluster.advance(1000);
    }
    expect(cluster.messages).toBe(3 * 10);
  });

  it('sends watchers of a topic with too many members only its count, once a second, however many join', () => {
    const { cluster, nodes } = clusterOf(2, { rules: { named: true, membersMax: 10 } });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    for (let i = 0; i < 11; i++) cluster.connect(a, A, `user-${i}`);
    cluster.advance(2000);
    const watched = b.watched.get(A);
    expect(watched?.log.at(-1)).toBe('omitted');
    expect(watched?.state).toEqual({ count: 11, members: undefined });
    watched?.log.splice(0);
    watched?.times.splice(0);
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 100; j++) cluster.connect(a, A, `more-${i}-${j}`);
      cluster.advance(STEP_MS);
    }
    expect(watched?.log.length).toBeGreaterThan(8);
    expect(watched?.log.length).toBeLessThanOrEqual(10);
    expect(watched?.log.every((line) => line === '')).toBe(true);
  });

  it('names the members again when there are few enough', () => {
    const { cluster, nodes } = clusterOf(2, { rules: { named: true, membersMax: 10 } });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    const connections = Array.from({ length: 12 }, (_, i) => cluster.connect(a, A, `user-${i}`));
    cluster.advance(2000);
    for (const connection of connections.slice(9)) cluster.end(connection, false);
    cluster.advance(2000);
    for (const node of [a, b]) {
      expect(node.watched.get(A)?.log.at(-1)).not.toBe('omitted');
      expect(node.watched.get(A)?.state.members).toHaveLength(9);
    }
  });

  it('only counts a topic whose members do not fit a node’s budget', () => {
    const { cluster, nodes } = clusterOf(2, { bytesMax: 1000 });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    for (let i = 0; i < 100; i++) cluster.connect(a, A, `user-${i}`);
    cluster.connect(b, B, 'bob');
    cluster.advance(2000);
    for (const node of nodes) expect(node.state(A)).toEqual({ count: 100, members: undefined });
    expect(a.budget.bytes).toBeLessThanOrEqual(1000);
    expect(b.state(B)).toEqual({ count: 1, members: ['ubob'] });
    for (const connection of [...cluster.connections.values()]) cluster.end(connection, false);
    cluster.advance(SETTLED_MS);
    for (const node of nodes) {
      expect(node.budget.bytes).toBe(0);
      expect(node.tracker.size).toBe(0);
    }
    cluster.connect(a, A, 'ann');
    cluster.advance(2000);
    expect(b.state(A)).toEqual({ count: 1, members: ['uann'] });
  });

  it('limits the topics of other nodes, and counts those that it refused', () => {
    const topics = Array.from({ length: 20 }, (_, i) => `chat.t${i}` as Topic);
    const { cluster, nodes } = clusterOf(2, { topics, topicsMax: 5 });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    for (const topic of topics) cluster.connect(a, topic, 'ann');
    cluster.advance(2000);
    expect(b.exchange.peerTopics).toMatchObject({ taken: 5, refused: 15 });
    expect(topics.filter((topic) => b.state(topic).count === 1)).toHaveLength(5);
  });

  it('keeps its state while the bus is disconnected', () => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    cluster.connect(a, A, 'ann');
    cluster.connect(b, A, 'bob');
    cluster.advance(2000);
    cluster.loses = () => true;
    for (const node of nodes) node.exchange.setConnected(false, cluster.nowMs);
    cluster.advance(30_000);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 2, members: ['uann', 'ubob'] });
    cluster.connect(b, A, 'eve');
    cluster.loses = () => false;
    for (const node of nodes) node.exchange.setConnected(true, cluster.nowMs);
    cluster.advance(2000);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 3, members: ['uann', 'ubob', 'ueve'] });
  });

  it('removes no member because its own process was blocked', () => {
    const { cluster, nodes } = clusterOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    cluster.connect(a, A, 'ann');
    cluster.advance(2000);
    b.watched.get(A)?.log.splice(0);
    // The messages of that time wait in its socket.
    cluster.nowMs += 4 * SILENT_MS;
    b.step();
    cluster.advance(SETTLED_MS);
    expect(b.watched.get(A)?.log).toEqual([]);
  });
});

type Command =
  | { readonly kind: 'connect'; readonly node: number; readonly topic: number; readonly user: number; readonly source: number }
  | { readonly kind: 'end'; readonly connection: number; readonly closed: boolean }
  | { readonly kind: 'kill' | 'bye'; readonly node: number }
  | { readonly kind: 'crash'; readonly node: number; readonly source: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'loss'; readonly percent: number }
  | { readonly kind: 'cut'; readonly node: number }
  | { readonly kind: 'advance'; readonly steps: number };

const nat = fc.nat({ max: 50 });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('connect' as const),
      node: nat,
      topic: nat,
      user: fc.nat({ max: 7 }),
      source: fc.nat({ max: 1 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('end' as const), connection: nat, closed: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('advance' as const), steps: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('kill' as const, 'bye' as const), node: nat }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), node: nat, source: fc.nat({ max: 1 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('loss' as const), percent: fc.constantFrom(0, 30, 100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), node: nat }) },
);

describe('presence under random events', () => {
  it('converges to the real members on every node and for every watcher', () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 200, size: 'max' }),
        fc.constantFrom({ named: true, membersMax: 4 }, { named: true, membersMax: 500 }, { named: false, membersMax: 500 }),
        fc.constantFrom(undefined, 700),
        fc.nat({ max: 12 }),
        fc.infiniteStream(fc.nat({ max: 99 })),
        (commands, rules, bytesMax, staying, chance) => {
          const { cluster } = clusterOf(2, { rules, ...(bytesMax !== undefined && { bytesMax }) });
          for (const one of commands) run(cluster, one, () => chance.next().value as number);
          // Few enough at the end to be named.
          for (const connection of [...cluster.connections.values()].slice(staying)) cluster.end(connection);
          cluster.loses = () => false;
          cluster.advance(SETTLED_MS);
          for (const node of cluster.nodes) for (const topic of TOPICS) expectTruth(cluster, node, topic);
        },
      ),
      { numRuns: 500 },
    );
  });
});

function run(cluster: SimulatedCluster, one: Command, chance: () => number): void {
  const pick = <T>(from: Iterable<T>, at: number): T | undefined => {
    const all = [...from];
    return all[at % Math.max(1, all.length)];
  };
  const node = 'node' in one ? pick(cluster.nodes, one.node) : undefined;
  switch (one.kind) {
    case 'connect':
      // User 0 is anonymous.
      if (node !== undefined) cluster.connect(node, TOPICS[one.topic % 2] as Topic, one.user === 0 ? null : `user-${one.user}`, one.source);
      return;
    case 'end': {
      const connection = pick(cluster.connections.values(), one.connection);
      if (connection !== undefined) cluster.end(connection, one.closed);
      return;
    }
    case 'kill':
    case 'bye':
      if (node === undefined) return;
      if (one.kind === 'bye') node.exchange.stop();
      return cluster.kill(node);
    case 'crash':
      if (node !== undefined) cluster.crashWorker(node, one.source);
      return;
    case 'start':
      if (cluster.nodes.size < 4) cluster.start();
      return;
    case 'loss':
      cluster.loses = () => chance() < one.percent;
      return;
    case 'cut':
      cluster.loses = (from, to) => (from === node) !== (to === node);
      return;
    case 'advance':
      return cluster.advance(one.steps * STEP_MS);
  }
}

function expectTruth(cluster: SimulatedCluster, node: SimulatedNode, topic: Topic): void {
  const truth = cluster.truth(topic);
  const { rules, options } = cluster;
  const state = node.state(topic);
  expect(state.count).toBe(truth.count);
  expect(node.watched.get(topic)?.state).toEqual(state);
  if (!rules.named) expect(state.members).toBeUndefined();
  else if (options.bytesMax === undefined && truth.members.length <= rules.membersMax * 0.9) expect(state.members).toEqual(truth.members);
  else if (truth.members.length > rules.membersMax) expect(state.members).toBeUndefined();
  else if (state.members !== undefined) expect(state.members).toEqual(truth.members);
}
