import { describe, expect, it } from 'vitest';
import { namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import { simulate } from '../support/simulate.ts';
import type { SimulatedNode } from '../support/simulated-node.ts';
import { simulatedSteps, stateAt, stateOf } from '../support/simulated-steps.ts';

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

const step = simulatedSteps({
  topics: TOPICS,
  clients: CLIENTS,
  keys: KEYS,
  deliverMax: 12,
  weights: { publish: 12, deliver: 10, subscribe: 6, unsubscribe: 1, cut: 3, comeBack: 4, read: 12, turns: 8, rollBack: 1 },
});

function check(node: SimulatedNode): void {
  for (const { trackers } of node.clients) {
    for (const [of, tracker] of trackers) {
      expect({ of, gaps: tracker.gaps }).toEqual({ of, gaps: 0 });
    }
  }
}

function checkWhole(node: SimulatedNode): void {
  for (const { trackers, runs } of node.clients) {
    for (const [of, tracker] of trackers) {
      if (namespaceOf(of) === 'keyed') {
        expect({ of, got: stateAt(tracker) }).toEqual({ of, got: stateOf(node, of) });
        continue;
      }
      const { from, uids } = runs.get(of)!;
      const owed = node.plain.history.filter(
        ({ publication: { topic: each, offset } }) => each === of && offset > from && offset <= tracker.last,
      );
      expect(uids).toEqual(owed.map(({ uid }) => uid));
    }
  }
}

describe('a hub and a worker whose clients read slowly, and are cut off in between,', () => {
  it('deliver the whole state to each client in the end, each key at its latest, without a gap', async () => {
    await simulate({
      step,
      steps: [60, 160],
      runs: 60,
      node: { clients: CLIENTS, settings: SETTINGS, padBytes: PAD_BYTES },
      // A state that is larger than a frame.
      begin: (node) => {
        for (const key of KEYS) for (const each of TOPICS) node.publish(each, key);
      },
      check,
      checkEnd: checkWhole,
    });
  });
});
