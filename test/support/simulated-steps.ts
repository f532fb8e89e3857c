import fc from 'fast-check';
import { namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import { mergePatch } from './document-fixtures.ts';
import { type SimulatedClient, type SimulatedNode, turns } from './simulated-node.ts';

export interface SimulatedStepsOptions {
  readonly topics: readonly Topic[];
  readonly clients: number;
  readonly keys: readonly string[];
  /** Publications that one step delivers at most. */
  readonly deliverMax: number;
  /** How often each happens, beside the others. */
  readonly weights: Readonly<Partial<Record<SimulatedStep['do'], number>>>;
}

/** What may happen to a simulated node, and to clients that read slowly. */
export function simulatedSteps({ weights, ...options }: SimulatedStepsOptions): fc.Arbitrary<SimulatedStep> {
  const all = stepsOf(options);
  const names = Object.keys(weights) as SimulatedStep['do'][];
  return fc.oneof(...names.map((name) => ({ weight: weights[name] as number, arbitrary: all[name] as fc.Arbitrary<SimulatedStep> })));
}

function stepsOf({ topics, clients, keys, deliverMax }: Omit<SimulatedStepsOptions, 'weights'>) {
  const topic = fc.constantFrom(...topics);
  const client = fc.nat(clients - 1);
  return {
    publish: fc.record({
      do: fc.constant('publish' as const),
      topic,
      key: fc.constantFrom(...keys),
      removed: fc.nat(9).map((n) => n === 0),
    }),
    deliver: fc.record({ do: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: deliverMax }) }),
    subscribe: fc.record({ do: fc.constant('subscribe' as const), client, topic }),
    unsubscribe: fc.record({ do: fc.constant('unsubscribe' as const), client, topic }),
    cut: fc.record({ do: fc.constant('cut' as const), client }),
    comeBack: fc.record({ do: fc.constant('comeBack' as const), client }),
    read: fc.record({ do: fc.constant('read' as const), client, bytes: fc.integer({ min: 1, max: 3000 }) }),
    turns: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 20 }) }),
    /** For passes of rate classes, which have timers. */
    wait: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 12 }) }),
    rollBack: fc.record({ do: fc.constant('rollBack' as const), topic, count: fc.integer({ min: 1, max: 6 }) }),
  };
}

type Steps = ReturnType<typeof stepsOf>;
export type SimulatedStep = { [name in keyof Steps]: Steps[name] extends fc.Arbitrary<infer Step> ? Step : never }[keyof Steps];

export async function performStep(node: SimulatedNode, step: SimulatedStep): Promise<void> {
  const clientOf = (index: number) => node.clients[index] as SimulatedClient;
  switch (step.do) {
    case 'publish':
      return node.publish(step.topic, step.key, step.removed);
    case 'deliver':
      for (const log of [node.plain, node.keyed]) log.deliver(step.count, false);
      return;
    case 'subscribe':
      return node.subscribe(clientOf(step.client), step.topic);
    case 'unsubscribe':
      return node.unsubscribe(clientOf(step.client), step.topic);
    case 'cut':
      return node.cut(clientOf(step.client));
    case 'comeBack':
      for (const topic of clientOf(step.client).trackers.keys()) node.subscribe(clientOf(step.client), topic);
      return;
    case 'read':
      return node.read(clientOf(step.client), step.bytes);
    case 'turns':
      return turns(step.count);
    case 'wait':
      return new Promise((resolve) => setTimeout(resolve, step.ms));
    case 'rollBack': {
      const log = node.logOf(namespaceOf(step.topic));
      // The follower must have got everything that was read from the log: only then it detects the rollback.
      await turns(40);
      log.deliver(Number.POSITIVE_INFINITY, false);
      await turns(10);
      log.rollBack(step.count, false);
      log.reconnect();
    }
  }
}

/** What a publication makes of the value before it. */
type Change = (before: unknown, published: unknown) => unknown;

export const DOCUMENT: Change = (before, patch) => (patch === null ? undefined : mergePatch(before, patch));
export const WHOLE_VALUE: Change = (_, value) => value;

/** Every value that a topic has ever had, in any history; the last one last. */
export function valuesEver(node: SimulatedNode, topic: Topic, change: Change): unknown[] {
  return node.plain.lives.flatMap((life) => {
    let value: unknown;
    return life.flatMap(({ publication }) => {
      if (publication.topic !== topic) return [];
      value = change(value, JSON.parse(Buffer.from(publication.payload).toString()));
      return [value];
    });
  });
}

/** The value that it has now; undefined: none. */
export function lastValue(node: SimulatedNode, topic: Topic, change: Change): unknown {
  const isThere = node.plain.history.some(({ publication }) => publication.topic === topic);
  return isThere ? valuesEver(node, topic, change).at(-1) : undefined;
}

/** The number of the last publication of every key that a topic has; without keys: of ''. */
export function stateOf(node: SimulatedNode, topic: Topic): Record<string, number> {
  const state: Record<string, number> = {};
  for (const { publication, uid } of node.logOf(namespaceOf(topic)).history) {
    if (publication.topic !== topic) continue;
    const key = publication.key ?? '';
    if (publication.payload.length === 0) delete state[key];
    else state[key] = uid;
  }
  return state;
}

/** The same, as a client has it. */
export function stateAt({ state }: { readonly state: ReadonlyMap<string | null, { readonly uid: number }> }): Record<string, number> {
  return Object.fromEntries([...state].map(([key, { uid }]) => [key ?? '', uid]));
}
