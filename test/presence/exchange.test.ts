import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SILENT_MS } from '../../src/presence/exchange.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { GRACE_MS, SETTLED_MS, type SimulatedNode, STEP_MS, World } from './simulated-nodes.ts';

const A = 'chat.a' as Topic;
const B = 'chat.b' as Topic;
const TOPICS = [A, B];

function worldOf(nodes: number, more: Partial<ConstructorParameters<typeof World>[0]> = {}): { world: World; nodes: SimulatedNode[] } {
  const world = new World({ topics: TOPICS, ...more });
  return { world, nodes: Array.from({ length: nodes }, () => world.start()) };
}

describe('presence of several nodes', () => {
  it('shows a new member on every node within 2 s', () => {
    const { world, nodes } = worldOf(3);
    world.advance(2000);
    world.connect(nodes[0] as SimulatedNode, A, 'ann');
    world.advance(1250);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
  });

  it('removes a member within the grace time and 2 s, and not before the grace time is over', () => {
    const { world, nodes } = worldOf(2);
    const ann = world.connect(nodes[0] as SimulatedNode, A, 'ann');
    world.advance(2000);
    world.end(ann);
    world.advance(GRACE_MS - STEP_MS);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
    world.advance(2000 + STEP_MS);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 0, members: [] });
  });

  it.each(['the same node', 'another node'])('reports nothing if a user is back on %s within the grace time', (where) => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    const before = world.connect(a, A, 'ann');
    world.advance(3000);
    for (const node of nodes) node.watched.get(A)?.log.splice(0);
    world.end(before);
    world.advance(1000);
    world.connect(where === 'another node' ? b : a, A, 'ann');
    world.advance(SETTLED_MS);
    for (const node of nodes) {
      expect(node.watched.get(A)?.log).toEqual([]);
      expect(node.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
    }
  });

  it('removes at once a member that unsubscribes, and an anonymous client that closes: it cannot come back as the same member', () => {
    const { world, nodes } = worldOf(2);
    const ann = world.connect(nodes[0] as SimulatedNode, A, 'ann');
    const anonymous = world.connect(nodes[0] as SimulatedNode, A, null);
    world.advance(2000);
    world.end(ann, false);
    world.end(anonymous);
    world.advance(1500);
    for (const node of nodes) expect(node.watched.get(A)?.state.members).toEqual([]);
  });

  it('keeps the members of a killed node for the grace time, and has removed them 5 s after it', () => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    world.connect(a, A, 'ann');
    world.connect(b, A, 'bob');
    world.advance(2000);
    world.kill(a);
    world.advance(GRACE_MS);
    expect(b.watched.get(A)?.state).toEqual({ count: 2, members: ['uann', 'ubob'] });
    world.advance(5000);
    expect(b.watched.get(A)?.state).toEqual({ count: 1, members: ['ubob'] });
    expect(b.exchange.peers).toBe(0);
  });

  it('removes the members of a node that stops after the grace time', () => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    world.connect(a, A, 'ann');
    world.advance(2000);
    a.exchange.stop();
    world.kill(a);
    world.advance(GRACE_MS + 2 * STEP_MS);
    expect(b.watched.get(A)?.state).toEqual({ count: 0, members: [] });
  });

  it('keeps the users of a crashed worker for the grace time, and reports nothing of those that come back on another worker', () => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    world.connect(a, A, 'ann', 0);
    world.connect(a, A, 'bob', 0);
    world.connect(a, A, 'eve', 1);
    world.advance(2000);
    b.watched.get(A)?.log.splice(0);
    world.crashWorker(a, 0);
    world.connect(a, A, 'ann', 1);
    world.advance(GRACE_MS + 2000);
    expect(b.watched.get(A)?.log.filter((line) => line !== '')).toEqual(['-ubob']);
    expect(b.watched.get(A)?.state).toEqual({ count: 2, members: ['uann', 'ueve'] });
  });

  it('is correct again 2 s after a lost message', () => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    world.advance(5000);
    world.loses = () => true;
    world.connect(a, A, 'ann');
    world.advance(1000);
    world.loses = () => false;
    world.advance(2000);
    expect(b.watched.get(A)?.state).toEqual({ count: 1, members: ['uann'] });
    expect(b.exchange.counters.gaps).toBe(1);
  });

  it('sends one message a second and node, however many topics change', () => {
    const topics = Array.from({ length: 300 }, (_, i) => `chat.t${i}` as Topic);
    const { world, nodes } = worldOf(3, { topics });
    world.advance(10_000);
    world.messages = 0;
    for (let second = 0; second < 10; second++) {
      for (const topic of topics) world.connect(nodes[second % 3] as SimulatedNode, topic, `user-${second}`);
      world.advance(1000);
    }
    expect(world.messages).toBe(3 * 10);
  });

  it('sends watchers of a topic with too many members only its count, once a second, however many join', () => {
    const { world, nodes } = worldOf(2, { rules: { named: true, membersMax: 10 } });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    for (let i = 0; i < 11; i++) world.connect(a, A, `user-${i}`);
    world.advance(2000);
    const watched = b.watched.get(A);
    expect(watched?.log.at(-1)).toBe('omitted');
    expect(watched?.state).toEqual({ count: 11, members: undefined });
    watched?.log.splice(0);
    watched?.times.splice(0);
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 100; j++) world.connect(a, A, `more-${i}-${j}`);
      world.advance(STEP_MS);
    }
    expect(watched?.log.length).toBeGreaterThan(8);
    expect(watched?.log.length).toBeLessThanOrEqual(10);
    expect(watched?.log.every((line) => line === '')).toBe(true);
  });

  it('names the members again when there are few enough', () => {
    const { world, nodes } = worldOf(2, { rules: { named: true, membersMax: 10 } });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    const connections = Array.from({ length: 12 }, (_, i) => world.connect(a, A, `user-${i}`));
    world.advance(2000);
    for (const connection of connections.slice(9)) world.end(connection, false);
    world.advance(2000);
    for (const node of [a, b]) {
      expect(node.watched.get(A)?.log.at(-1)).not.toBe('omitted');
      expect(node.watched.get(A)?.state.members).toHaveLength(9);
    }
  });

  it('only counts a topic whose members do not fit a node’s budget', () => {
    const { world, nodes } = worldOf(2, { bytesMax: 1000 });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    for (let i = 0; i < 100; i++) world.connect(a, A, `user-${i}`);
    world.connect(b, B, 'bob');
    world.advance(2000);
    for (const node of nodes) expect(node.state(A)).toEqual({ count: 100, members: undefined });
    expect(a.budget.bytes).toBeLessThanOrEqual(1000);
    expect(b.state(B)).toEqual({ count: 1, members: ['ubob'] });
    for (const connection of [...world.connections.values()]) world.end(connection, false);
    world.advance(SETTLED_MS);
    for (const node of nodes) {
      expect(node.budget.bytes).toBe(0);
      expect(node.tracker.size).toBe(0);
    }
    world.connect(a, A, 'ann');
    world.advance(2000);
    expect(b.state(A)).toEqual({ count: 1, members: ['uann'] });
  });

  it('limits the topics of other nodes, and counts those that it refused', () => {
    const topics = Array.from({ length: 20 }, (_, i) => `chat.t${i}` as Topic);
    const { world, nodes } = worldOf(2, { topics, topicsMax: 5 });
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    for (const topic of topics) world.connect(a, topic, 'ann');
    world.advance(2000);
    expect(b.exchange.peerTopics).toMatchObject({ taken: 5, refused: 15 });
    expect(topics.filter((topic) => b.state(topic).count === 1)).toHaveLength(5);
  });

  it('keeps its state while the bus is disconnected', () => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    world.connect(a, A, 'ann');
    world.connect(b, A, 'bob');
    world.advance(2000);
    world.loses = () => true;
    for (const node of nodes) node.exchange.setConnected(false, world.nowMs);
    world.advance(30_000);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 2, members: ['uann', 'ubob'] });
    world.connect(b, A, 'eve');
    world.loses = () => false;
    for (const node of nodes) node.exchange.setConnected(true, world.nowMs);
    world.advance(2000);
    for (const node of nodes) expect(node.watched.get(A)?.state).toEqual({ count: 3, members: ['uann', 'ubob', 'ueve'] });
  });

  it('removes no member because its own process was blocked', () => {
    const { world, nodes } = worldOf(2);
    const [a, b] = nodes as [SimulatedNode, SimulatedNode];
    world.connect(a, A, 'ann');
    world.advance(2000);
    b.watched.get(A)?.log.splice(0);
    // The messages of that time wait in its socket.
    world.nowMs += 4 * SILENT_MS;
    b.step();
    world.advance(SETTLED_MS);
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
          const { world } = worldOf(2, { rules, ...(bytesMax !== undefined && { bytesMax }) });
          for (const one of commands) run(world, one, () => chance.next().value as number);
          // Few enough at the end to be named.
          for (const connection of [...world.connections.values()].slice(staying)) world.end(connection);
          world.loses = () => false;
          world.advance(SETTLED_MS);
          for (const node of world.nodes) for (const topic of TOPICS) expectTruth(world, node, topic);
        },
      ),
      { numRuns: 500 },
    );
  });
});

function run(world: World, one: Command, chance: () => number): void {
  const pick = <T>(from: Iterable<T>, at: number): T | undefined => {
    const all = [...from];
    return all[at % Math.max(1, all.length)];
  };
  const node = 'node' in one ? pick(world.nodes, one.node) : undefined;
  switch (one.kind) {
    case 'connect':
      // User 0 is anonymous.
      if (node !== undefined) world.connect(node, TOPICS[one.topic % 2] as Topic, one.user === 0 ? null : `user-${one.user}`, one.source);
      return;
    case 'end': {
      const connection = pick(world.connections.values(), one.connection);
      if (connection !== undefined) world.end(connection, one.closed);
      return;
    }
    case 'kill':
    case 'bye':
      if (node === undefined) return;
      if (one.kind === 'bye') node.exchange.stop();
      return world.kill(node);
    case 'crash':
      if (node !== undefined) world.crashWorker(node, one.source);
      return;
    case 'start':
      if (world.nodes.size < 4) world.start();
      return;
    case 'loss':
      world.loses = () => chance() < one.percent;
      return;
    case 'cut':
      world.loses = (from, to) => (from === node) !== (to === node);
      return;
    case 'advance':
      return world.advance(one.steps * STEP_MS);
  }
}

function expectTruth(world: World, node: SimulatedNode, topic: Topic): void {
  const truth = world.truth(topic);
  const { rules, options } = world;
  const state = node.state(topic);
  expect(state.count).toBe(truth.count);
  expect(node.watched.get(topic)?.state).toEqual(state);
  if (!rules.named) expect(state.members).toBeUndefined();
  else if (options.bytesMax === undefined && truth.members.length <= rules.membersMax * 0.9) expect(state.members).toEqual(truth.members);
  else if (truth.members.length > rules.membersMax) expect(state.members).toBeUndefined();
  else if (state.members !== undefined) expect(state.members).toEqual(truth.members);
}
