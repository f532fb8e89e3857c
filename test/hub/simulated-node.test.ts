import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import type { SimulatedLog, Written } from '../support/simulated-log.ts';
import { type SimulatedClient, SimulatedNode, turns } from '../support/simulated-node.ts';

const TOPICS = ['plain.a', 'plain.b', 'keyed.a', 'keyed.b'] as Topic[];
const CLIENTS = 3;
/** For a node that hangs, not for one on a busy machine. */
const HANG_TIMEOUT_MS = 1_800_000;
/** More runs: `RUNS=1000 npx vitest run test/hub/simulated-node.test.ts`. */
const RUNS = Number(process.env.RUNS ?? 100);

const topic = fc.constantFrom(...TOPICS);
const client = fc.nat(CLIENTS - 1);
const log = fc.constantFrom('plain' as const, 'keyed' as const);

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('publish' as const), topic, key: fc.constantFrom('k1', 'k2', 'k3') }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), log, count: fc.integer({ min: 1, max: 6 }), lost: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('subscribe' as const), client, topic }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), client, topic }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), client }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('comeBack' as const), client }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expire' as const), log, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restartConsumers' as const), log }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cutOff' as const), log }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('reconnect' as const), log }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('short' as const), log, count: fc.integer({ min: 0, max: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rollBack' as const),
      log,
      count: fc.integer({ min: 1, max: 6 }),
      bucketGone: fc.boolean(),
      grown: fc.array(topic, { maxLength: 8 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function perform(node: SimulatedNode, step: Step): Promise<void> {
  switch (step.do) {
    case 'publish':
      return node.publish(step.topic, step.key);
    case 'deliver':
      return node.logOf(step.log).deliver(step.count, step.lost);
    case 'subscribe':
      return node.subscribe(node.clients[step.client]!, step.topic);
    case 'unsubscribe':
      return node.unsubscribe(node.clients[step.client]!, step.topic);
    case 'cut':
      return node.cut(node.clients[step.client]!);
    case 'comeBack':
      for (const each of node.clients[step.client]!.trackers.keys()) node.subscribe(node.clients[step.client]!, each);
      return;
    case 'turns':
      return turns(step.count);
    case 'expire':
      return node.logOf(step.log).expire(step.count);
    case 'restartConsumers':
      return node.logOf(step.log).restartConsumers();
    case 'cutOff':
      return node.logOf(step.log).cutOff();
    case 'reconnect':
      return node.logOf(step.log).reconnect();
    case 'short':
      node.logOf(step.log).shortBy = step.count;
      return;
    case 'rollBack':
      node.logOf(step.log).rollBack(step.count, step.bucketGone);
      // Others publish to it before this node sees it.
      for (const each of step.grown) node.publish(each, 'k1');
      return;
  }
}

/**
 * The promise to clients. There is a history in which a client has got, since its last resync, all publications of the topic from its first to its last
 * position: each once, in order, none missing. For a keyed topic: at least the last one of each key.
 */
function keepsPromise(
  lives: readonly Written[][],
  of: Topic,
  keyed: boolean,
  from: number,
  last: number,
  uids: readonly number[],
): boolean {
  return lives.some((life) => {
    const written = life.filter(({ publication: { topic: each, offset } }) => each === of && offset > from && offset <= last);
    if (!keyed) return String(written.map(({ uid }) => uid)) === String(uids);
    const all = written.map(({ uid }) => uid);
    const latest = written.filter((one, at) => !written.slice(at + 1).some((other) => other.publication.key === one.publication.key));
    return uids.every((uid, at) => all.includes(uid) && uid > (uids[at - 1] ?? 0)) && latest.every(({ uid }) => uids.includes(uid));
  });
}

function check(node: SimulatedNode, lives: (log: SimulatedLog) => readonly Written[][]): void {
  for (const each of node.clients) checkClient(node, each, lives);
}

function checkClient(node: SimulatedNode, { trackers, runs }: SimulatedClient, lives: (log: SimulatedLog) => readonly Written[][]): void {
  for (const [of, tracker] of trackers) {
    if (tracker.epoch === '') continue;
    const { from, uids } = runs.get(of)!;
    const log = node.logOf(of.split('.')[0]!);
    const kept = keepsPromise(lives(log), of, log.keyed, from, tracker.last, uids);
    expect({ of, from, last: tracker.last, uids, kept, gaps: tracker.gaps, duplicates: tracker.duplicates }).toMatchObject({
      kept: true,
      gaps: 0,
      duplicates: 0,
    });
  }
}

describe('a hub and a worker, under random actions of log, link and clients,', () => {
  it(
    'deliver every publication to every client exactly once and in order, or tell the client to resync',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }),
          fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
          async (steps, delays) => {
            const node = new SimulatedNode({ clients: CLIENTS, delays });
            try {
              for (const each of steps) {
                await perform(node, each);
                check(node, (of) => of.lives);
              }
              await node.settle();
              // In the end all clients are in the current history.
              check(node, (of) => [of.history]);
            } finally {
              await node.stop();
            }
          },
        ),
        { numRuns: RUNS, endOnFailure: true },
      );
    },
    HANG_TIMEOUT_MS,
  );
});
