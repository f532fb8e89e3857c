import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import { textOf } from '../support/document-fixtures.ts';
import { type SimulatedClient, SimulatedNode, turns } from '../support/simulated-node.ts';

const TOPICS = ['plain.a', 'keyed.a', 'keyed.b'] as Topic[];
const WISHES = [{ delta: true }, { delta: true, maxRateHz: 100 }, {}, { delta: true, maxRateHz: 50 }, { delta: true }];
const CLIENTS = WISHES.length;
const KEYS = ['k1', 'k2', 'k3', 'k4'];
const NAMESPACES = {
  plain: { public: true, delta: 'fields' },
  keyed: { public: true, state: 'keyed', delta: 'fields', slowConsumer: 'conflate' },
};
/** The ring is short, a state takes several frames, and sockets are soon full. */
const SETTINGS = {
  namespaces: NAMESPACES,
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.recent.keysPerTopicMax': 100,
  'tuning.recovery.recoveryItemsMax': 1000,
  'tuning.fanout.lagThresholdBytes': 4096,
  'tuning.answers.historyPageBytesMax': 1024,
  'tuning.fanout.frameBytesMax': 1024,
};

/** Little changes from one to the next; sometimes a member becomes null, a map becomes a text or another map, or a list grows. */
function contentOf(uid: number): unknown {
  const n = Math.imul(uid, 2_654_435_761) >>> 0;
  const part = (from: number, of: number) => (n >>> from) % of;
  return {
    uid,
    still: { text: 'x'.repeat(120), list: [1, null] },
    bid: part(3, 7) === 0 ? null : part(5, 3),
    ...(part(8, 3) === 0 && { comes: part(10, 2) }),
    book: part(12, 5) === 0 ? 'closed' : { [`l${part(14, 3)}`]: part(16, 2), top: { size: part(18, 2) } },
    ...(part(20, 4) > 0 && { goes: { a: 1, ...(part(22, 2) === 0 && { b: part(24, 5) === 0 ? null : 2 }) } }),
  };
}

const topic = fc.constantFrom(...TOPICS);
const client = fc.nat(CLIENTS - 1);
const step = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      topic,
      key: fc.constantFrom(...KEYS),
      removed: fc.nat(9).map((n) => n === 0),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('subscribe' as const), client, topic }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), client, topic }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), client }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('comeBack' as const), client }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('read' as const), client, bytes: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollBack' as const), topic, count: fc.integer({ min: 1, max: 6 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function perform(node: SimulatedNode, each: Step): Promise<void> {
  const of = (index: number) => node.clients[index] as SimulatedClient;
  switch (each.do) {
    case 'publish':
      return node.publish(each.topic, each.key, each.removed);
    case 'deliver':
      for (const log of [node.plain, node.keyed]) log.deliver(each.count, false);
      return;
    case 'subscribe':
      return node.subscribe(of(each.client), each.topic);
    case 'unsubscribe':
      return node.unsubscribe(of(each.client), each.topic);
    case 'cut':
      return node.cut(of(each.client));
    case 'comeBack':
      for (const name of of(each.client).trackers.keys()) node.subscribe(of(each.client), name);
      return;
    case 'read':
      return node.read(of(each.client), each.bytes);
    case 'turns':
      return turns(each.count);
    case 'wait':
      // For passes of rate classes, which have timers.
      return new Promise((resolve) => setTimeout(resolve, each.ms));
    case 'rollBack': {
      const log = node.logOf(namespaceOf(each.topic));
      await turns(40);
      log.deliver(Number.POSITIVE_INFINITY, false);
      await turns(10);
      log.rollBack(each.count, false);
      log.reconnect();
    }
  }
}

/** Every value that a client's application was given is one that was published, whole. */
function check(node: SimulatedNode): void {
  for (const { trackers } of node.clients) {
    for (const [of, tracker] of trackers) {
      expect({ of, gaps: tracker.gaps }).toEqual({ of, gaps: 0 });
      for (const { data, meta, offset } of tracker.items) {
        if (meta?.removed) continue;
        expect({ of, offset, text: textOf(data) }).toEqual({ of, offset, text: textOf(contentOf(data.uid)) });
      }
      // Each is looked at once.
      tracker.items.length = 0;
    }
  }
}

function checkEnd(node: SimulatedNode): void {
  for (const { trackers } of node.clients) {
    for (const [of, { state }] of trackers) {
      const expected = new Map<string | null, number>();
      for (const { publication, uid } of node.logOf(namespaceOf(of)).history) {
        if (publication.topic !== of) continue;
        if (publication.payload.length === 0) expected.delete(publication.key);
        else expected.set(publication.key, uid);
      }
      const got = [...state].map(([key, data]) => [key, data.uid]).sort();
      expect({ of, got }).toEqual({ of, got: [...expected].sort() });
    }
  }
}

describe('clients that follow what changes, read slowly, have rates and are cut off,', () => {
  it('have in the end, and at every item before, exactly the values that were published', async () => {
    const seen = { patches: 0, pairs: 0, wholes: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 60, maxLength: 160, size: 'max' }),
        fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
        async (steps, delays) => {
          const node = new SimulatedNode({ clients: CLIENTS, delays, settings: SETTINGS, contentOf, wishes: WISHES, slow: true });
          try {
            for (const key of KEYS) for (const each of TOPICS) node.publish(each, key);
            for (const each of steps) {
              await perform(node, each);
              check(node);
            }
            await node.settle();
            check(node);
            checkEnd(node);
            for (const { values } of node.clients) {
              for (const { patches, pairs, wholes } of values.values()) {
                seen.patches += patches;
                seen.pairs += pairs;
                seen.wholes += wholes;
              }
            }
          } finally {
            await node.stop();
          }
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 60), endOnFailure: true, timeout: 20_000 },
    );
    expect(seen.patches).toBeGreaterThan(100);
    expect(seen.pairs).toBeGreaterThan(0);
    expect(seen.wholes).toBeGreaterThan(100);
  });
});
