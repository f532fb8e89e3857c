import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChannelReceiver } from '../../../src/bus/bus.ts';
import type { Channel } from '../../../src/bus/channel.ts';
import { ConnectionLimit } from '../../../src/hub/users/connection-limit.ts';

type Mode = 'closeOldest' | 'refuse';

/** Carries announcements between nodes, each after a delay, in order per pair of nodes. */
class Air {
  readonly #listeners = new Set<{ node: number; channel: Channel; listen: (data: Uint8Array) => void }>();
  readonly delayMs: (from: number, to: number) => number;
  sent = 0;
  lossy = false;

  constructor(delayMs: (from: number, to: number) => number) {
    this.delayMs = delayMs;
  }

  /** The bus of one node. */
  busOf(node: number) {
    const air = this;
    const changes = new Set<(connected: boolean) => void>();
    return {
      connected: true,
      announce(channel: Channel, data: Uint8Array) {
        air.sent++;
        if (air.lossy) return;
        for (const one of air.#listeners) {
          if (one.channel !== channel) continue;
          setTimeout(() => air.#listeners.has(one) && this.connected && one.listen(data), air.delayMs(node, one.node));
        }
      },
      listenToUser(channel: Channel, receiver: ChannelReceiver) {
        const one = { node, channel, listen: (data: Uint8Array) => receiver.hear(data) };
        air.#listeners.add(one);
        return { stop: () => void air.#listeners.delete(one) };
      },
      onConnectedChange(listener: (connected: boolean) => void) {
        changes.add(listener);
        return () => void changes.delete(listener);
      },
      set(connected: boolean) {
        this.connected = connected;
        for (const listener of changes) listener(connected);
      },
    };
  }
}

interface NodeOptions {
  readonly max?: number;
  readonly mode?: Mode;
  readonly skewsMs?: readonly number[];
  readonly delayMs?: (from: number, to: number) => number;
}

/** Nodes, and which connections of `ann` are open on each, oldest first. */
class Cluster {
  readonly air: Air;
  readonly open: string[] = [];
  readonly closed: string[] = [];
  readonly refused: string[] = [];
  readonly buses: ReturnType<Air['busOf']>[];
  readonly #wallMs: (node: number) => number;
  readonly nodes: ConnectionLimit<number>[];
  #next = 0;

  constructor(count: number, { max = 2, mode = 'closeOldest', skewsMs = [], delayMs = () => 2 }: NodeOptions = {}) {
    this.air = new Air(delayMs);
    this.#wallMs = (node) => 1_000_000 + performance.now() + (skewsMs[node] ?? 0);
    this.buses = Array.from({ length: count }, (_, i) => this.air.busOf(i));
    this.nodes = this.buses.map(
      (bus, i) =>
        new ConnectionLimit<number>({
          config: { limits: { connectionsPerUserMax: max, tooManyConnections: mode } as never },
          bus,
          instance: `instance-${i}`,
          close: (_, id) => {
            this.closed.push(id);
            this.open.splice(this.open.indexOf(id), 1);
          },
          wallMs: () => this.#wallMs(i),
        }),
    );
  }

  connect(node: number, connectionsMax?: number, sinceMs = this.#wallMs(node)): string {
    const id = `c${this.#next++}@${node}`;
    this.open.push(id);
    void this.nodes[node]!.add({ user: 'ann', connectionId: id, owner: node, connectionsMax, sinceMs }).then((admitted) => {
      if (admitted) return;
      this.open.splice(this.open.indexOf(id), 1);
      this.refused.push(id);
    });
    return id;
  }

  /** Its worker lets it in now, and its hub learns of it so much later. */
  connectLate(node: number, lateMs: number): void {
    const sinceMs = this.#wallMs(node);
    setTimeout(() => this.connect(node, undefined, sinceMs), lateMs);
  }

  leave(id: string): void {
    this.open.splice(this.open.indexOf(id), 1);
    this.nodes[Number(id.split('@')[1])]!.remove('ann', id);
  }

  stop(): void {
    for (const node of this.nodes) node.stop();
  }
}

describe('The limit on a user’s connections', () => {
  const clusters: Cluster[] = [];
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => {
    for (const one of clusters.splice(0)) one.stop();
    vi.useRealTimers();
  });
  const cluster = (...args: ConstructorParameters<typeof Cluster>) => {
    const made = new Cluster(...args);
    clusters.push(made);
    return made;
  };
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  it('closes the oldest connection at once, on any node', async () => {
    const all = cluster(3);
    for (const node of [0, 1, 2, 0, 1]) {
      all.connect(node);
      await pass(20);
    }
    expect(all.closed).toEqual(['c0@0', 'c1@1', 'c2@2']);
    expect(all.open).toEqual(['c3@0', 'c4@1']);
  });

  it('treats the last connection as the newest, even if clocks are wrong', async () => {
    const all = cluster(3, { skewsMs: [3_600_000, 0, -3_600_000], max: 1 });
    for (const node of [0, 1, 2, 1, 0, 2]) {
      all.connect(node);
      await pass(50);
      expect(all.open).toHaveLength(1);
      expect(all.open[0]).toContain(`@${node}`);
    }
  });

  it('does not close the newest connection because of older ones that were announced late', async () => {
    const all = cluster(2, { max: 2, delayMs: () => 200 });
    all.connect(1);
    const second = all.connect(1);
    await pass(100);
    const newest = all.connect(0);
    await pass(2000);
    expect(all.open).toEqual([second, newest]);
  });

  it('does not close the newest connection because of older ones that their hub learned of late', async () => {
    const all = cluster(2, { max: 2 });
    const first = all.connect(1);
    await pass(50);
    for (let i = 0; i < 2; i++) all.connectLate(1, 300);
    await pass(100);
    const newest = all.connect(0);
    await pass(2000);
    expect(all.closed).toEqual([first, 'c2@1']);
    expect(all.open).toEqual([newest, 'c3@1']);
  });

  it('keeps the newest connections, however late announcements come, if clocks are right', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 9, maxLength: 9 }),
        fc.array(fc.record({ node: fc.nat(2), pauseMs: fc.constantFrom(10, 20, 50, 200, 1500) }), { maxLength: 20 }),
        async (max, delaysMs, steps) => {
          const all = new Cluster(3, { max, delayMs: (from, to) => delaysMs[3 * from + to]! });
          try {
            const ids: string[] = [];
            for (const { node, pauseMs } of steps) {
              ids.push(all.connect(node));
              await pass(pauseMs);
            }
            await pass(5000);
            expect(all.open).toEqual(ids.slice(-max));
          } finally {
            all.stop();
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps exactly the limit when all connect at the same moment', async () => {
    const all = cluster(5, { max: 3 });
    for (let node = 0; node < 5; node++) all.connect(node);
    await pass(2000);
    expect(all.open).toHaveLength(3);
  });

  it('reaches the limit within 2 s after any race, with any clocks, and closes no more than necessary', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: -100_000, max: 100_000 }), { minLength: 4, maxLength: 4 }),
        fc.array(fc.record({ node: fc.nat(3), pauseMs: fc.constantFrom(0, 0, 0, 1, 3, 10, 100, 1500), leave: fc.nat(9) }), {
          maxLength: 25,
        }),
        async (max, skewsMs, steps) => {
          const all = new Cluster(4, { max, skewsMs, delayMs: (from, to) => 1 + ((from * 7 + to * 3) % 9) });
          try {
            for (const { node, pauseMs, leave } of steps) {
              const leaves = leave === 0 ? all.open[0] : undefined;
              if (leaves !== undefined) all.leave(leaves);
              else all.connect(node);
              await pass(pauseMs);
            }
            await pass(2000);
            expect(all.open.length).toBeLessThanOrEqual(max);
            // A connection that comes now, when nothing else happens, stays. Only the surplus is closed.
            const before = all.open.length;
            const newest = all.connect(steps.length % 4);
            await pass(2000);
            expect(all.open).toContain(newest);
            expect(all.open.length).toBe(Math.min(max, before + 1));
          } finally {
            all.stop();
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('closes no connection because of those on a node that is gone', async () => {
    const all = cluster(3);
    const [a, b] = [all.connect(0), all.connect(1)];
    await pass(3000);
    // Killed: it sends and receives nothing more.
    all.buses[1]!.connected = false;
    all.open.splice(all.open.indexOf(b), 1);
    const c = all.connect(2);
    await pass(2000);
    expect(all.open).toEqual([a, c]);
  });

  it('takes the limit from the token of the newest connection, or none if that says so', async () => {
    const all = cluster(2);
    for (let i = 0; i < 6; i++) all.connect(i % 2, 0);
    await pass(100);
    expect(all.open).toHaveLength(6);
    all.connect(0, 4);
    await pass(500);
    expect(all.open).toEqual(['c3@1', 'c4@0', 'c5@1', 'c6@0']);
    all.connect(1);
    await pass(500);
    expect(all.open).toEqual(['c6@0', 'c7@1']);
  });

  it('announces nothing without a limit', async () => {
    const all = cluster(2, { max: 0 });
    for (let i = 0; i < 20; i++) all.leave(all.connect(i % 2));
    expect(all.air.sent).toBe(0);
    expect(all.nodes[0]!.size).toBe(0);
  });

  it('applies per node while the bus is disconnected, and to all nodes afterwards', async () => {
    const all = cluster(2);
    for (const bus of all.buses) bus.set(false);
    for (let i = 0; i < 6; i++) all.connect(i % 2);
    await pass(10);
    expect(all.open).toEqual(['c2@0', 'c3@1', 'c4@0', 'c5@1']);
    for (const bus of all.buses) bus.set(true);
    await pass(2000);
    expect(all.open).toEqual(['c4@0', 'c5@1']);
  });

  it('learns the content of a lost announcement later', async () => {
    const all = cluster(2);
    all.connect(0);
    all.connect(1);
    await pass(50);
    all.air.lossy = true;
    all.connect(0);
    await pass(50);
    all.air.lossy = false;
    all.connect(0);
    await pass(2000);
    expect(all.open).toEqual(['c2@0', 'c3@0']);
  });

  it('forgets the connections of a worker that is gone', async () => {
    const all = cluster(2);
    all.connect(0);
    all.connect(0);
    await pass(10);
    all.nodes[0]!.removeOwner(0);
    all.open.length = 0;
    all.connect(1);
    all.connect(1);
    await pass(1000);
    expect(all.open).toHaveLength(2);
    expect(all.nodes[0]!.size).toBe(0);
  });

  describe('with refuse,', () => {
    it('refuses a connection above the limit within 100 ms, on any node', async () => {
      const all = cluster(3, { mode: 'refuse' });
      for (const node of [0, 1]) {
        all.connect(node);
        await pass(200);
      }
      const extra = all.connect(2);
      await pass(100);
      expect(all.refused).toEqual([extra]);
      all.leave('c0@0');
      await pass(10);
      all.connect(2);
      await pass(200);
      expect(all.open).toEqual(['c1@1', 'c3@2']);
      expect(all.closed).toEqual([]);
    });

    it('counts no connection of a node that is gone, and asks only once', async () => {
      const all = cluster(3, { mode: 'refuse' });
      for (const node of [0, 1]) {
        all.connect(node);
        await pass(200);
      }
      await pass(50);
      // Killed: it sends and receives nothing more.
      all.buses[1]!.connected = false;
      all.open.splice(all.open.indexOf('c1@1'), 1);
      all.connect(0);
      await pass(100);
      expect(all.open).toEqual(['c0@0', 'c2@0']);
      const sentBefore = all.air.sent;
      all.connect(0);
      await pass(100);
      expect(all.refused).toEqual(['c3@0']);
      // The announcements of the refused connection and of its end.
      expect(all.air.sent - sentBefore).toBe(2);
    });

    it('counts the connections of a node that said nothing for long', async () => {
      const all = cluster(2, { mode: 'refuse' });
      for (const node of [0, 1]) {
        all.connect(node);
        await pass(200);
      }
      await pass(60_000);
      const extra = all.connect(0);
      await pass(100);
      expect(all.refused).toEqual([extra]);
      expect(all.open).toEqual(['c0@0', 'c1@1']);
    });

    it('keeps exactly the limit when all connect at the same moment', async () => {
      const all = cluster(4, { mode: 'refuse', max: 2 });
      for (let node = 0; node < 4; node++) all.connect(node);
      await pass(2000);
      expect(all.open).toHaveLength(2);
    });

    it('admits as many as allowed in any race, with any clocks', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 5 }),
          fc.array(fc.integer({ min: -100_000, max: 100_000 }), { minLength: 4, maxLength: 4 }),
          fc.array(fc.record({ node: fc.nat(3), pauseMs: fc.constantFrom(0, 0, 0, 1, 3, 10, 100) }), { maxLength: 25 }),
          async (max, skewsMs, steps) => {
            const all = new Cluster(4, { mode: 'refuse', max, skewsMs, delayMs: (from, to) => 1 + ((from * 7 + to * 3) % 9) });
            try {
              for (const { node, pauseMs } of steps) {
                all.connect(node);
                await pass(pauseMs);
              }
              await pass(2000);
              expect(all.open).toHaveLength(Math.min(max, steps.length));
            } finally {
              all.stop();
            }
          },
        ),
        { numRuns: 300 },
      );
    });

    it('asks no other node while the bus is disconnected', async () => {
      const all = cluster(1, { mode: 'refuse', max: 1 });
      all.buses[0]!.set(false);
      all.connect(0);
      all.connect(0);
      await pass(0);
      expect(all.open).toEqual(['c0@0']);
    });
  });
});
