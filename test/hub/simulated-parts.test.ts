import { describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import { textOf } from '../support/document-fixtures.ts';
import { simulate } from '../support/simulate.ts';
import type { SimulatedNode } from '../support/simulated-node.ts';
import { DOCUMENT, lastValue, simulatedSteps, valuesEver, WHOLE_VALUE } from '../support/simulated-steps.ts';

const TOPICS = ['plain.a', 'plain.b'] as Topic[];
const WISHES = [{ parts: true }, { parts: true, maxRateHz: 100 }, {}, { parts: true }, { parts: true, maxRateHz: 50 }, { parts: true }];
const CLIENTS = WISHES.length;
const FRAME_BYTES_MAX = 1024;
/** Half of the parts of a document fill a socket: they are dropped in the middle of it. */
const SETTINGS = {
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.fanout.lagThresholdBytes': 4096,
  'tuning.fanout.frameBytesMax': FRAME_BYTES_MAX,
};

/** Up to ten frames, with what is longer in JSON; the documents of two publications are never the same. */
function contentOf(uid: number): unknown {
  const n = Math.imul(uid, 2_654_435_761) >>> 0;
  const size = (n >>> 7) % 3 === 0 ? (n >>> 9) % 1000 : (n >>> 9) % 40;
  return { uid, [`m${n % 3}`]: '"€x'.repeat(size) };
}

const changeOf = (isDocument: boolean) => (isDocument ? DOCUMENT : WHOLE_VALUE);

const step = simulatedSteps({
  topics: TOPICS,
  clients: CLIENTS,
  keys: ['none'],
  deliverMax: 4,
  weights: { publish: 30, deliver: 20, subscribe: 6, unsubscribe: 1, cut: 4, comeBack: 6, read: 20, turns: 10, wait: 3, rollBack: 1 },
});

/** What a client's application was given was published, whole. */
function check(node: SimulatedNode, isDocument: boolean): void {
  for (const [index, client] of node.clients.entries()) {
    if (WISHES[index]?.parts) expect(client.largestFrameBytes).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    for (const [of, tracker] of client.trackers) {
      expect({ of, gaps: tracker.gaps }).toEqual({ of, gaps: 0 });
      // Each is looked at once.
      const items = tracker.items.splice(0);
      if (items.length === 0) continue;
      const known = new Set(valuesEver(node, of, changeOf(isDocument)).map(textOf));
      for (const { data, offset } of items) {
        if (!known.has(textOf(data))) throw new Error(`client ${index} has at ${offset} of ${of} what was never so`);
      }
    }
  }
}

function checkEnd(node: SimulatedNode, isDocument: boolean): void {
  for (const [index, { trackers, values }] of node.clients.entries()) {
    for (const of of trackers.keys()) {
      const last = lastValue(node, of, changeOf(isDocument));
      expect({ index, of, got: textOf(values.get(of)?.values.get(null)) }).toEqual({ index, of, got: textOf(last) });
    }
  }
}

describe('clients that get what is large in parts, read slowly, have rates and are cut off in the middle,', () => {
  it.each([
    ['document', 'replay'],
    ['document', 'conflate'],
    ['last', 'replay'],
    ['last', 'conflate'],
  ] as const)('have in the end, and at every item before, exactly what was published (%s, %s)', async (state, slowConsumer) => {
    const isDocument = state === 'document';
    let joined = 0;
    let large = 0;
    await simulate({
      step,
      steps: [80, 200],
      runs: 25,
      node: {
        clients: CLIENTS,
        settings: { ...SETTINGS, namespaces: { plain: { public: true, state, slowConsumer }, keyed: { public: true } } },
        contentOf,
        wishes: WISHES,
        encodings: ['json', 'json', 'json', 'msgpack', 'msgpack', 'msgpack'],
        documents: isDocument,
      },
      begin: (node) => {
        for (const each of TOPICS) node.publish(each, '');
      },
      check: (node) => check(node, isDocument),
      checkEnd: (node) => {
        checkEnd(node, isDocument);
        for (const client of node.clients) joined += client.joined;
        if ((node.clients[2]?.largestFrameBytes ?? 0) > FRAME_BYTES_MAX) large++;
      },
    });
    expect(joined).toBeGreaterThan(30);
    // Who does not ask for parts gets one frame.
    expect(large).toBeGreaterThan(5);
  });
});
