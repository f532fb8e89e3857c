import type { Msg } from '@nats-io/transport-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InterestGroup } from '../../src/bus/nats/interest-group.ts';
import type { SubscriptionEvents } from '../../src/bus/nats/lasting-subscription.ts';

const OWN_MAX = 4;

/** What a connection to a server is for subscriptions: each is live when the test says so, and gets what matches it. */
class Server {
  readonly subscriptions = new Set<{ subject: string; events: SubscriptionEvents; live: (live: boolean) => void }>();
  /** The server answers for a subscription that was stopped meanwhile, too. */
  #stopped: ((live: boolean) => void)[] = [];

  readonly subscribe = (subject: string, events: SubscriptionEvents) => {
    let settle: (live: boolean) => void = () => undefined;
    const live = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    const subscription = { subject, events, live: settle };
    this.subscriptions.add(subscription);
    const stop = () => {
      if (this.subscriptions.delete(subscription)) this.#stopped.push(settle);
    };
    return { live, stop };
  };

  get subjects(): string[] {
    return [...this.subscriptions].map(({ subject }) => subject).sort();
  }

  /** All that were asked for are there. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) {
      for (const { live } of this.subscriptions) live(true);
      for (const live of this.#stopped.splice(0)) live(true);
      await new Promise(setImmediate);
    }
  }

  publish(subject: string): void {
    for (const { subject: filter, events } of [...this.subscriptions]) {
      if (filter === subject || filter === 'u.*') events.onMessage({ subject } as Msg);
    }
  }
}

function group() {
  const server = new Server();
  const made = new InterestGroup({ wildcard: 'u.*', ownMax: OWN_MAX, subscribe: server.subscribe });
  const heard: string[] = [];
  const add = (name: string) => made.add(`u.${name}`, { onMessage: ({ subject }) => void heard.push(`${name} ${subject}`) });
  return { server, add, heard };
}

describe('Interest in many subjects', () => {
  it('is a subscription for each up to the bound, and one for all past it', async () => {
    const { server, add, heard } = group();
    const listeners = ['a', 'b', 'c', 'd'].map(add);
    await server.settle();
    expect(server.subjects).toEqual(['u.a', 'u.b', 'u.c', 'u.d']);
    listeners.push(add('e'));
    // Until the server has it, the others stay.
    expect(server.subjects).toEqual(['u.*', 'u.a', 'u.b', 'u.c', 'u.d', 'u.e']);
    server.publish('u.b');
    await server.settle();
    expect(server.subjects).toEqual(['u.*']);
    for (const subject of ['u.a', 'u.e', 'u.nobody', 'u.b']) server.publish(subject);
    expect(heard).toEqual(['b u.b', 'a u.a', 'e u.e', 'b u.b']);
    expect(await add('f').live).toBe(true);
    for (const listener of listeners) listener.stop();
    // Below half of the bound.
    await server.settle();
    expect(server.subjects).toEqual(['u.f']);
    server.publish('u.f');
    server.publish('u.a');
    expect(heard.slice(4)).toEqual(['f u.f']);
  });

  it('stays one for each where the server denies the one for all', async () => {
    const { server, add, heard } = group();
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name);
    for (const { subject, live } of server.subscriptions) live(subject !== 'u.*');
    await server.settle();
    add('f');
    await server.settle();
    expect(server.subjects).toEqual(['u.a', 'u.b', 'u.c', 'u.d', 'u.e', 'u.f']);
    server.publish('u.f');
    expect(heard).toEqual(['f u.f']);
  });

  it('goes back to one for each when the server denies the one for all later', async () => {
    const { server, add, heard } = group();
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name);
    await server.settle();
    const [all] = server.subscriptions;
    all!.events.onDenied?.(true);
    await server.settle();
    expect(server.subjects).toEqual(['u.a', 'u.b', 'u.c', 'u.d', 'u.e']);
    server.publish('u.a');
    expect(heard).toEqual(['a u.a']);
  });

  it('gives two that want the same subject each what comes', async () => {
    const { server, add, heard } = group();
    const first = add('a');
    add('a');
    await server.settle();
    server.publish('u.a');
    first.stop();
    server.publish('u.a');
    expect(heard).toEqual(['a u.a', 'a u.a', 'a u.a']);
  });

  it('delivers each message exactly once to each listener that was there before it was sent, for any sequence of listeners that start and stop', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.record({ turn: fc.nat(9) }), fc.record({ publish: fc.nat(9) }), fc.record({ settle: fc.boolean() })), {
          maxLength: 60,
        }),
        async (steps) => {
          const { server, add, heard } = group();
          const wanted = new Map<number, { stop(): void }>();
          let expected = 0;
          for (const step of steps) {
            if ('turn' in step) {
              const known = wanted.get(step.turn);
              if (known === undefined) wanted.set(step.turn, add(`${step.turn}`));
              else {
                known.stop();
                wanted.delete(step.turn);
              }
            } else if ('settle' in step) {
              if (step.settle) await server.settle();
              else await Promise.resolve();
            } else {
              // The model's server knows of a subscription at once.
              server.publish(`u.${step.publish}`);
              if (wanted.has(step.publish)) expected++;
            }
          }
          expect(heard).toHaveLength(expected);
          for (const listener of wanted.values()) listener.stop();
          await server.settle();
          expect(server.subjects).toEqual([]);
        },
      ),
    );
  });
});
