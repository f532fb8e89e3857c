import { describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import { textOf } from '../support/document-fixtures.ts';
import { SeenValues, simulate } from '../support/simulate.ts';
import type { SimulatedNode } from '../support/simulated-node.ts';
import { simulatedSteps, stateAt, stateOf } from '../support/simulated-steps.ts';

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

const step = simulatedSteps({
  topics: TOPICS,
  clients: CLIENTS,
  keys: KEYS,
  deliverMax: 8,
  weights: { publish: 40, deliver: 14, subscribe: 6, unsubscribe: 1, cut: 3, comeBack: 5, read: 12, turns: 8, wait: 3, rollBack: 1 },
});

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
    for (const [of, tracker] of trackers) expect({ of, got: stateAt(tracker) }).toEqual({ of, got: stateOf(node, of) });
  }
}

describe('clients that follow what changes, read slowly, have rates and are cut off,', () => {
  it('have in the end, and at every item before, exactly the values that were published', async () => {
    const seen = new SeenValues();
    await simulate({
      step,
      steps: [100, 250],
      runs: 60,
      node: { clients: CLIENTS, settings: SETTINGS, contentOf, wishes: WISHES },
      begin: (node) => {
        for (const key of KEYS) for (const each of TOPICS) node.publish(each, key);
      },
      check,
      checkEnd: (node) => {
        checkEnd(node);
        seen.add(node);
      },
    });
    expect(seen.patches).toBeGreaterThan(100);
    expect(seen.pairs).toBeGreaterThan(0);
    expect(seen.wholes).toBeGreaterThan(100);
  });
});
