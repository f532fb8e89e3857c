import { describe, expect, it } from 'vitest';
import { COVER_ITEMS } from '../../src/fanout/range.ts';
import type { TagFilterOf, Tags } from '../../src/protocol/tags.ts';
import { namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import { simulate } from '../support/simulate.ts';
import type { SimulatedNode } from '../support/simulated-node.ts';
import { simulatedSteps } from '../support/simulated-steps.ts';

const TOPICS = ['plain.a', 'keyed.a', 'keyed.b'] as Topic[];
const WISHES: readonly { readonly filter?: TagFilterOf; readonly maxRateHz?: number }[] = [
  { filter: { kind: 'a' } },
  { filter: { kind: ['b', 'a'], size: ['s', 'm'] }, maxRateHz: 100 },
  {},
  { filter: { size: 'l', kind: 'rare' } },
  { filter: { kind: ['c', 'b'] } },
  { filter: { kind: 'a' }, maxRateHz: 50 },
  // It is only told how far its topics have come.
  { filter: { kind: 'none' } },
];
const CLIENTS = WISHES.length;
/** The client that is given nothing. */
const NOTHING = CLIENTS - 1;
const KEYS = ['k1', 'k2', 'k3'];
/** The ring is short, the log is not, and sockets are soon full. */
const SETTINGS = {
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.recent.keysPerTopicMax': 100,
  'tuning.recovery.recoveryItemsMax': 1000,
  'tuning.fanout.lagThresholdBytes': 4096,
  'tuning.fanout.frameBytesMax': 1024,
};
const NAMESPACES = { plain: { public: true }, keyed: { public: true, state: 'keyed', slowConsumer: 'conflate' } };

function tagsOf(uid: number): Tags {
  const n = Math.imul(uid, 2_654_435_761) >>> 0;
  return {
    kind: ['a', 'b', 'c', 'd', 'rare'][(n >>> 3) % (n % 4 === 0 ? 5 : 4)] as string,
    size: ['s', 'm', 'l'][(n >>> 9) % 3] as string,
  };
}

function matches(uid: number, { filter = {} }: (typeof WISHES)[number]): boolean {
  const tags = tagsOf(uid);
  return Object.entries(filter).every(([name, wanted]) => [wanted].flat().includes(tags[name] as string));
}

const step = simulatedSteps({
  topics: TOPICS,
  clients: CLIENTS,
  keys: KEYS,
  deliverMax: 8,
  weights: { publish: 40, deliver: 14, subscribe: 5, unsubscribe: 1, cut: 3, comeBack: 5, read: 12, turns: 8, wait: 3, rollBack: 1 },
});

const seen = { items: 0, exact: 0, covered: 0 };

/** Nothing comes that does not match, and nothing is missing in between. */
function check(node: SimulatedNode): void {
  for (const [index, { trackers }] of node.clients.entries()) {
    for (const [of, tracker] of trackers) {
      expect({ index, of, gaps: tracker.gaps }).toEqual({ index, of, gaps: 0 });
      for (const { data, meta } of tracker.items.splice(0)) {
        seen.items++;
        if (!meta?.removed) expect({ index, data, fits: matches(data.uid, WISHES[index] ?? {}) }).toEqual({ index, data, fits: true });
      }
    }
  }
}

/** In the end everybody has had all that matches, in order; of a keyed topic, or at a rate, at least the latest of each key if that matches. */
function checkEnd(node: SimulatedNode): void {
  for (const [index, { trackers, runs }] of node.clients.entries()) {
    const wish = WISHES[index] ?? {};
    for (const [of, tracker] of trackers) {
      const history = node.logOf(namespaceOf(of)).history.filter(({ publication }) => publication.topic === of);
      const run = runs.get(of);
      seen.covered += tracker.covered;
      if (namespaceOf(of) === 'plain' && wish.maxRateHz === undefined) {
        const due = history
          .filter(({ publication, uid }) => publication.offset > (run?.from ?? 0) && matches(uid, wish))
          .map(({ uid }) => uid);
        seen.exact += due.length;
        expect({ index, of, uids: run?.uids }).toEqual({ index, of, uids: due });
      }
      const latest = new Map(history.map((written) => [written.publication.key, written]));
      for (const [key, { publication, uid }] of latest) {
        if (!matches(uid, wish)) continue;
        const isRemoved = publication.payload.length === 0;
        expect({ index, of, key, uid: tracker.state.get(key)?.uid }).toEqual({ index, of, key, uid: isRemoved ? undefined : uid });
      }
    }
  }
}

describe('clients that filter by tags, read slowly, have rates and are cut off,', () => {
  it('get all that matches, and nothing else, without a gap', async () => {
    await simulate({
      step,
      steps: [100, 250],
      runs: 60,
      node: { clients: CLIENTS, settings: { ...SETTINGS, namespaces: NAMESPACES }, padBytes: 150, tagsOf, wishes: WISHES },
      begin: async (node) => {
        // So many that who is given none of them is told of that.
        for (const client of [NOTHING, 0]) node.subscribe(node.clients[client]!, 'plain.a' as Topic);
        await node.settle();
        for (let n = 0; n < COVER_ITEMS + 32; n++) node.publish('plain.a' as Topic, 'k1');
      },
      check,
      checkEnd,
    });
    console.log('COV', JSON.stringify(seen));
    expect(seen.items).toBeGreaterThan(500);
    expect(seen.exact).toBeGreaterThan(100);
    expect(seen.covered).toBeGreaterThan(0);
  });
});
