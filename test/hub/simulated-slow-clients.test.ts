import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import { SimulatedNode, turns } from '../support/simulated-node.ts';

const TOPICS = ['plain.a', 'keyed.a', 'keyed.b'] as Topic[];
const CLIENTS = 3;
const KEYS = Array.from({ length: 12 }, (_, index) => `k${index}`);
/** A state of 12 keys has 4 KB, four frames; sockets count as full with 4 KB; the ring is shorter than the state is. */
const SETTINGS = {
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.recent.keysPerTopicMax': 100,
  'tuning.recovery.recoveryItemsMax': 1000,
  'tuning.fanout.lagThresholdBytes': 4096,
  'tuning.answers.historyPageBytesMax': 1024,
  'tuning.fanout.frameBytesMax': 1024,
};
const PAD_BYTES = 300;

const topic = fc.constantFrom(...TOPICS);
const client = fc.nat(CLIENTS - 1);
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      topic,
      key: fc.constantFrom(...KEYS),
      removed: fc.nat(9).map((n) => n === 0),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('subscribe' as const), client, topic }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), client, topic }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), client }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('comeBack' as const), client }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('read' as const), client, bytes: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollBack' as const), topic, count: fc.integer({ min: 1, max: 6 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function perform(node: SimulatedNode, each: Step): Promise<void> {
  switch (each.do) {
    case 'publish':
      return node.publish(each.topic, each.key, each.removed);
    case 'deliver':
      for (const log of [node.plain, node.keyed]) log.deliver(each.count, false);
      return;
    case 'subscribe':
      return node.subscribe(node.clients[each.client]!, each.topic);
    case 'unsubscribe':
      return node.unsubscribe(node.clients[each.client]!, each.topic);
    case 'cut':
      return node.cut(node.clients[each.client]!);
    case 'comeBack':
      for (const name of node.clients[each.client]!.trackers.keys()) node.subscribe(node.clients[each.client]!, name);
      return;
    case 'read':
      return node.read(node.clients[each.client]!, each.bytes);
    case 'turns':
      return turns(each.count);
    case 'rollBack': {
      const log = node.logOf(namespaceOf(each.topic));
      // The follower must have got everything that was read from the log: only then it detects the rollback.
      await turns(40);
      log.deliver(Number.POSITIVE_INFINITY, false);
      await turns(10);
      log.rollBack(each.count, false);
      log.reconnect();
    }
  }
}

/** Of every key that there is, its last publication. */
function stateOf(node: SimulatedNode, of: Topic): Record<string, number> {
  const state: Record<string, number> = {};
  for (const { publication, uid } of node.logOf(namespaceOf(of)).history) {
    if (publication.topic !== of) continue;
    const key = publication.key ?? '';
    if (publication.payload.length === 0) delete state[key];
    else state[key] = uid;
  }
  return state;
}

function check(node: SimulatedNode): void {
  for (const { trackers } of node.clients) {
    for (const [of, tracker] of trackers) {
      expect({ of, gaps: tracker.gaps }).toEqual({ of, gaps: 0 });
    }
  }
}

function checkWhole(node: SimulatedNode): void {
  for (const { trackers, runs } of node.clients) {
    for (const [of, { state, last }] of trackers) {
      const got = Object.fromEntries([...state].map(([key, data]) => [key ?? '', data.uid as number]));
      if (namespaceOf(of) === 'keyed') {
        expect({ of, got }).toEqual({ of, got: stateOf(node, of) });
        continue;
      }
      const { from, uids } = runs.get(of)!;
      const owed = node.plain.history.filter(({ publication: { topic: each, offset } }) => each === of && offset > from && offset <= last);
      expect(uids).toEqual(owed.map(({ uid }) => uid));
    }
  }
}

describe('a hub and a worker whose clients read slowly, and are cut off in between,', () => {
  it('deliver the whole state to each client in the end, each key at its latest, without a gap', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 60, maxLength: 160, size: 'max' }),
        fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
        async (steps, delays) => {
          const node = new SimulatedNode({ clients: CLIENTS, delays, settings: SETTINGS, padBytes: PAD_BYTES, slow: true });
          try {
            // A state that is larger than a frame.
            for (const key of KEYS) for (const each of TOPICS) node.publish(each, key);
            for (const each of steps) {
              await perform(node, each);
              check(node);
            }
            await node.settle();
            check(node);
            checkWhole(node);
          } finally {
            await node.stop();
          }
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 60), endOnFailure: true, timeout: 20_000 },
    );
  });
});
