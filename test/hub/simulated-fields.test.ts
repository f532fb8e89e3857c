import { describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import { textOf } from '../support/document-fixtures.ts';
import { projected } from '../support/field-fixtures.ts';
import { SeenValues, simulate } from '../support/simulate.ts';
import type { SimulatedNode } from '../support/simulated-node.ts';
import { DOCUMENT, lastValue, simulatedSteps, valuesEver } from '../support/simulated-steps.ts';

const TOPICS = ['plain.a', 'plain.b'] as Topic[];
const WISHES = [
  { fields: ['/best/bid', '/status'] },
  { fields: ['/best/bid'], maxRateHz: 100 },
  {},
  { fields: ['/book', '/best/bid/size'], maxRateHz: 50 },
  { fields: ['/status', '/best/bid'] },
  { fields: ['/rare/x/y'] },
];
const CLIENTS = WISHES.length;
/** The ring is short, a state takes several frames, and sockets are soon full. */
const SETTINGS = {
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.fanout.lagThresholdBytes': 4096,
  'tuning.fanout.frameBytesMax': 1024,
};

/** A patch, mostly; sometimes the document is removed, or becomes a text. */
function changeOf(uid: number): unknown {
  const n = Math.imul(uid, 2_654_435_761) >>> 0;
  const part = (from: number, of: number) => (n >>> from) % of;
  if (part(2, 31) === 0) return null;
  if (part(2, 31) === 1) return 'text';
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
    ...(part(18, 5) === 0 && { rare: part(20, 2) === 0 ? { x: { y: part(21, 3), z: uid } } : part(21, 2) === 0 ? null : { x: 5 } }),
    book: part(22, 9) === 0 ? null : { [`l${part(23, 4)}`]: part(25, 3) === 0 ? null : 'x'.repeat(80) + uid },
  };
}

const step = simulatedSteps({
  topics: TOPICS,
  clients: CLIENTS,
  keys: ['none'],
  deliverMax: 8,
  weights: { publish: 40, deliver: 14, subscribe: 6, unsubscribe: 1, cut: 3, comeBack: 5, read: 12, turns: 8, wait: 3, rollBack: 1 },
});

/** Every document that a client's application was given is the selected part of one that was published. */
function check(node: SimulatedNode): number {
  let checks = 0;
  const known = new Map<string, ReadonlySet<string>>();
  for (const [index, { trackers }] of node.clients.entries()) {
    const { fields } = WISHES[index] as { fields?: string[] };
    for (const [of, tracker] of trackers) {
      expect({ of, gaps: tracker.gaps }).toEqual({ of, gaps: 0 });
      // Each is looked at once.
      const items = tracker.items.splice(0).filter(({ meta }) => meta?.removed !== true);
      if (items.length === 0) continue;
      const name = `${of} ${fields}`;
      const texts =
        known.get(name) ??
        new Set(
          valuesEver(node, of, DOCUMENT).flatMap((document) =>
            document === undefined ? [] : [textOf(fields ? projected(document, fields) : document)],
          ),
        );
      known.set(name, texts);
      for (const { data, offset } of items) {
        checks++;
        if (!texts.has(textOf(data))) throw new Error(`client ${index} has at ${offset} of ${of} ${textOf(data)}, which was never so`);
      }
    }
  }
  return checks;
}

function checkEnd(node: SimulatedNode): void {
  for (const [index, { trackers, values }] of node.clients.entries()) {
    const { fields } = WISHES[index] as { fields?: string[] };
    for (const of of trackers.keys()) {
      const last = lastValue(node, of, DOCUMENT);
      const got = values.get(of)?.values.get(null);
      const text = textOf(last === undefined || fields === undefined ? last : projected(last, fields));
      expect({ index, of, got: textOf(got) }).toEqual({ index, of, got: text });
    }
  }
}

describe('clients that select fields of documents, read slowly, have rates and are cut off,', () => {
  it.each(['replay', 'conflate'] as const)(
    'have in the end, and at every item before, exactly that part of what was published (%s)',
    async (slowConsumer) => {
      const settings = { ...SETTINGS, namespaces: { plain: { public: true, state: 'document', slowConsumer }, keyed: { public: true } } };
      const seen = new SeenValues();
      let checks = 0;
      await simulate({
        step,
        steps: [100, 250],
        runs: 40,
        node: { clients: CLIENTS, settings, contentOf: changeOf, wishes: WISHES, documents: true },
        begin: (node) => {
          for (const each of TOPICS) node.publish(each, '');
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
