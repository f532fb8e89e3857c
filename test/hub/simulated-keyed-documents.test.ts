import { describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import { mergePatch, textOf } from '../support/document-fixtures.ts';
import { SeenValues, simulate } from '../support/simulate.ts';
import type { SimulatedNode } from '../support/simulated-node.ts';
import { simulatedSteps } from '../support/simulated-steps.ts';

const TOPICS = ['keyed.a', 'keyed.b'] as Topic[];
const WISHES = [{}, { maxRateHz: 100 }, {}, { maxRateHz: 50 }];
const CLIENTS = WISHES.length;
const KEYS = ['k0', 'k1', 'k2', 'k3', 'k4'];
/** The ring is short, a state takes several frames, and sockets are soon full. */
const SETTINGS = {
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.fanout.lagThresholdBytes': 4096,
  'tuning.fanout.frameBytesMax': 1024,
};

/** A patch; sometimes the document becomes a text. Every one has a uid, so no two documents of a key are the same. */
function changeOf(uid: number): unknown {
  const n = Math.imul(uid, 2_654_435_761) >>> 0;
  const part = (from: number, of: number) => (n >>> from) % of;
  if (part(2, 31) === 1) return `text ${uid}`;
  const side = [
    null,
    'closed',
    { bid: part(9, 5) },
    { ask: part(9, 5) },
    { bid: { price: part(9, 3), size: part(11, 3) } },
    { bid: null },
    {},
  ];
  return {
    uid,
    ...(part(4, 2) === 0 && { best: side[part(6, side.length)] }),
    ...(part(13, 4) === 0 && { status: part(15, 3) === 0 ? null : `s${part(16, 3)}` }),
    book: part(22, 9) === 0 ? null : { [`l${part(23, 4)}`]: part(25, 3) === 0 ? null : 'x'.repeat(80) + uid },
  };
}

type Publications = SimulatedNode['keyed']['history'];

/** The documents of the keys after each publication of a topic in one history, by offset. */
function documentsOf(history: Publications, topic: Topic): Map<number, { key: string; documents: Map<string, unknown> }> {
  const all = new Map<number, { key: string; documents: Map<string, unknown> }>();
  let documents = new Map<string, unknown>();
  for (const { publication } of history) {
    if (publication.topic !== topic) continue;
    const key = publication.key as string;
    documents = new Map(documents);
    if (publication.payload.length === 0) documents.delete(key);
    else documents.set(key, mergePatch(documents.get(key), JSON.parse(Buffer.from(publication.payload).toString())));
    all.set(publication.offset, { key, documents });
  }
  return all;
}

const step = simulatedSteps({
  topics: TOPICS,
  clients: CLIENTS,
  keys: KEYS,
  deliverMax: 8,
  weights: { publish: 40, deliver: 14, subscribe: 6, unsubscribe: 1, cut: 3, comeBack: 5, read: 12, turns: 8, wait: 3, rollBack: 1 },
});

/** Every document that a client's application was given is that of its key after some publication. */
function check(node: SimulatedNode): number {
  let checks = 0;
  const known = new Map<Topic, ReadonlySet<string>>();
  for (const [index, { trackers }] of node.clients.entries()) {
    for (const [of, tracker] of trackers) {
      expect({ of, gaps: tracker.gaps }).toEqual({ of, gaps: 0 });
      const items = tracker.items.splice(0).filter(({ meta }) => meta?.removed !== true);
      if (items.length === 0) continue;
      const texts =
        known.get(of) ??
        new Set(
          node.keyed.lives.flatMap((life) =>
            [...documentsOf(life, of).values()].map(({ key, documents }) => `${key} ${textOf(documents.get(key))}`),
          ),
        );
      known.set(of, texts);
      for (const { key, data, offset } of items) {
        checks++;
        if (!texts.has(`${key} ${textOf(data)}`))
          throw new Error(`client ${index} has at ${offset} of ${of}#${key} ${textOf(data)}, which was never so`);
      }
    }
  }
  return checks;
}

function checkEnd(node: SimulatedNode): void {
  for (const [index, { trackers, values }] of node.clients.entries()) {
    for (const of of trackers.keys()) {
      const last = [...documentsOf(node.keyed.history, of).values()].at(-1)?.documents ?? new Map();
      const got = values.get(of)?.values ?? new Map();
      const textOfAll = (all: ReadonlyMap<string | null, unknown>) => textOf(Object.fromEntries(all as Map<string, unknown>));
      expect({ index, of, got: textOfAll(got) }).toEqual({ index, of, got: textOfAll(last) });
    }
  }
}

describe('clients of topics with a document for each key, that read slowly, have rates and are cut off,', () => {
  it.each(['replay', 'conflate'] as const)(
    'have in the end, and at every item before, documents that were published (%s)',
    async (slowConsumer) => {
      const keyed = { public: true, state: 'keyed', patch: true, slowConsumer };
      const settings = { ...SETTINGS, namespaces: { plain: { public: true }, keyed } };
      const seen = new SeenValues();
      let checks = 0;
      await simulate({
        step,
        steps: [100, 250],
        runs: 40,
        node: { clients: CLIENTS, settings, contentOf: changeOf, wishes: WISHES, keyedDocuments: true },
        begin: (node) => {
          for (const each of TOPICS) for (const key of KEYS) node.publish(each, key);
        },
        check: (node) => {
          checks += check(node);
        },
        checkEnd: (node) => {
          checkEnd(node);
          seen.add(node);
        },
      });
      expect(checks).toBeGreaterThan(500);
      expect(seen.patches).toBeGreaterThan(100);
      expect(seen.pairs).toBeGreaterThan(0);
      expect(seen.wholes).toBeGreaterThan(100);
    },
  );
});
