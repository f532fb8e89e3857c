import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VariantOptions } from '../../src/fanout/variant.ts';
import type { Key } from '../../src/protocol/topic.ts';
import { recentOf } from '../support/fanout-fixtures.ts';
import { FanoutModel, type JoinMode } from '../support/fanout-model.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const FRAME_BYTES_MAX = 1024;

const variants: VariantOptions[] = [
  { encoding: 'msgpack', deflate: false, rateHz: undefined, timestamps: false },
  { encoding: 'msgpack', deflate: true, rateHz: undefined, timestamps: false },
  { encoding: 'json', deflate: false, rateHz: undefined, timestamps: false },
  { encoding: 'msgpack', deflate: false, rateHz: 10, timestamps: false },
  { encoding: 'json', deflate: false, rateHz: 2, timestamps: false },
  { encoding: 'msgpack', deflate: false, rateHz: undefined, timestamps: true },
  { encoding: 'json', deflate: false, rateHz: 10, timestamps: true },
  { encoding: 'json', deflate: false, rateHz: undefined, timestamps: false, parts: true },
  { encoding: 'msgpack', deflate: false, rateHz: 10, timestamps: false, parts: true },
];

const keys: (Key | null)[] = [null, 'a', 'b', 'c', 'd'] as (Key | null)[];

const topicIndex = fc.nat(1);
const mode = fc.oneof(fc.constant<JoinMode>('plain'), fc.constant<JoinMode>('snapshot'), fc.record({ back: fc.nat(12) }));

const operation = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      topic: topicIndex,
      times: fc.integer({ min: 1, max: 8 }),
      key: fc.constantFrom(...keys),
      gap: fc.integer({ min: 1, max: 3 }),
      // Some larger than a frame, some worth deflating.
      pad: fc.oneof({ weight: 8, arbitrary: fc.nat(40) }, fc.integer({ min: 400, max: 1400 }), {
        weight: 2,
        arbitrary: fc.integer({ min: 2000, max: 5000 }),
      }),
      by: fc.option(fc.nat(), { nil: undefined }),
      noEcho: fc.nat(4).map((one) => one === 0),
      removed: fc.nat(9).map((one) => one === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('join' as const),
      topic: topicIndex,
      variant: fc.constantFrom(...variants),
      mode,
      echo: fc.boolean(),
      beside: fc.option(fc.nat(), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), member: fc.nat() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('turn' as const), advanceMs: fc.constantFrom(0, 1, 3, 20, 60, 600) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'merge' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), topic: topicIndex, keys: fc.subarray(keys) }) },
);

const setting = fc.record({
  groupConnectionsMax: fc.integer({ min: 2, max: 12 }),
  itemsMax: fc.integer({ min: 2, max: 40 }),
  workerBytesMax: fc.constantFrom(3000, 20_000, 1_000_000),
  flushIntervalMs: fc.constantFrom(0, 0, 15),
  pacingPeriodMaxMs: fc.constantFrom(0, 20),
  durable: fc.boolean(),
  state: fc.constantFrom('last' as const, 'keyed' as const),
  echoes: fc.boolean(),
  crowd: fc.constantFrom(0, 0, 900),
});

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

function modelOf({
  groupConnectionsMax,
  itemsMax,
  workerBytesMax,
  flushIntervalMs,
  pacingPeriodMaxMs,
  durable,
  state,
  crowd,
}: Setting): FanoutModel {
  const common = { recent: recentOf({ bytesMax: workerBytesMax, itemsPerTopicMax: itemsMax }) };
  const scheduling = {
    frameBytesMax: FRAME_BYTES_MAX,
    lagThresholdBytes: 3 * FRAME_BYTES_MAX,
    loopGapMinMs: 5,
    loopGapMaxMs: 10,
    pacingPeriodMaxMs,
  };
  const model = new FanoutModel(scheduling, groupConnectionsMax, [
    { ...common, namespace: namespaceOptions({ state: 'keyed' }) },
    { ...common, namespace: namespaceOptions({ durable, state, flushIntervalMs }) },
  ]);
  for (const topic of model.topics) model.crowd(topic, variants[0]!, crowd);
  return model;
}

function run(model: FanoutModel, operation: Operation, echoes: boolean): void {
  const topic = 'topic' in operation ? model.topics[operation.topic]! : model.topics[0]!;
  switch (operation.kind) {
    case 'publish':
      for (let i = 0; i < operation.times; i++) {
        const { by, ...publication } = echoes ? { ...operation, noEcho: false } : operation;
        const author = by === undefined ? undefined : model.members[(by + i) % model.members.length]?.id;
        model.feedPublication(topic, { ...publication, ...(author !== undefined && { by: author }) });
      }
      return;
    case 'join': {
      const { variant, mode, echo, beside } = operation;
      const other = beside === undefined ? undefined : model.members[beside % Math.max(1, model.members.length)];
      return model.join(topic, variant, mode, echo || echoes, other);
    }
    case 'leave':
      if (model.members.length > 0) model.leave(model.members[operation.member % model.members.length]!);
      return;
    case 'turn':
      model.turn(operation.advanceMs);
      return;
    case 'merge':
      return model.merge();
    case 'reset':
      return model.reset(topic, operation.keys);
  }
}

describe('the fan-out, for any sequence of publishes, joins, leaves, merges, resets and flushes,', () => {
  it('sends every member exactly the items between its join and its leave, in order, with the right prev', () => {
    let received = 0;
    let skipped = 0;
    let joined = 0;
    let given = 0;
    fc.assert(
      fc.property(setting, fc.array(operation, { minLength: 10, maxLength: 120 }), (chosen, operations) => {
        const model = modelOf(chosen);
        for (const one of operations) {
          run(model, one, chosen.echoes);
          if (one.kind !== 'publish' && one.kind !== 'turn') model.checkPlaces();
        }
        model.settle();
        for (const member of model.members) {
          member.checkComplete();
          received += member.received;
          if (member.everSkipped) skipped++;
          joined += member.joined;
        }
        given += model.given;
        // Nobody is left, nothing is left.
        model.endCrowds();
        for (const member of [...model.members]) model.leave(member);
        for (const { feed } of model.topics) expect(feed).toMatchObject({ members: 0, variants: [], withoutEcho: new Map() });
      }),
      { numRuns: 400 },
    );
    // The runs did try what they are about.
    expect(received).toBeGreaterThan(1000);
    expect(skipped).toBeGreaterThan(10);
    expect(joined).toBeGreaterThan(20);
    expect(given).toBeGreaterThan(3);
  });
});
