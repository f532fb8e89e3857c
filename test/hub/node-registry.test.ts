import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Channel } from '../../src/bus/channel.ts';
import { decodeAnnouncement, encodeAnnouncement, type NodeStatus } from '../../src/hub/announcement.ts';
import { NodeRegistry, type NodeRegistryOptions } from '../../src/hub/node-registry.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const STATUS: NodeStatus = {
  instance: 'i-self',
  nodeId: 'self',
  host: 'machine',
  version: '1.0.0',
  uptimeMs: 1000,
  notReady: null,
  workers: 2,
  connections: 10,
  connectionsMax: 100,
  subscriptions: 20,
  lagging: 0,
  topics: 3,
  publicationsIn: 0,
  deliveries: 0,
  announceIntervalMs: 2000,
  clockMs: 1_000_000,
};

/** What a bus is for announcements: everybody hears everything. */
class Air {
  readonly sent: Uint8Array[] = [];
  readonly #listeners = new Set<(data: Uint8Array) => void>();

  announce(_channel: Channel, data: Uint8Array): void {
    this.sent.push(data);
    for (const listener of [...this.#listeners]) listener(data);
  }

  onAnnouncement(_channel: Channel, listener: (data: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

describe('The node registry', () => {
  let air: Air;
  let log: string[];
  const registries: NodeRegistry[] = [];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    air = new Air();
    log = [];
  });
  afterEach(async () => {
    for (const registryOf of registries.splice(0)) await registryOf.stop();
    vi.useRealTimers();
  });

  function registryOf(own: Partial<NodeStatus> | (() => NodeStatus) = {}, more: Partial<NodeRegistryOptions> = {}): NodeRegistry {
    const status = typeof own === 'function' ? own : () => ({ ...STATUS, ...own });
    const logger = createLogger({ level: 'debug', format: 'json' } as never, { write: (line) => void log.push(line) });
    const made = new NodeRegistry({ bus: air, logger, intervalMs: 2000, nodesMax: 5, status: async () => status(), ...more });
    registries.push(made);
    return made;
  }

  const other = (name: string, more: Partial<NodeStatus> = {}) =>
    air.announce('nodes', encodeAnnouncement({ ...STATUS, instance: `i-${name}`, nodeId: name, ...more }));
  const names = async (of: NodeRegistry) => (await of.nodes()).map(({ nodeId }) => nodeId);
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('lists this node first, then the others by name, and counts them', async () => {
    const own = registryOf();
    other('b');
    other('a', { notReady: 'draining', connections: 7 });
    expect(await names(own)).toEqual(['self', 'a', 'b']);
    expect(own.size).toBe(3);
    const [self, a] = await own.nodes();
    expect(self).toMatchObject({ self: true, heardMsAgo: 0, notReady: null, connections: 10 });
    expect(a).toMatchObject({ self: false, notReady: 'draining', connections: 7 });
    expect(a).not.toHaveProperty('instance');
  });

  it('announces itself at the start and every interval, and announces that it leaves', async () => {
    const [one, two] = [registryOf(), registryOf({ instance: 'i-two', nodeId: 'two' })];
    await turn();
    expect(await names(one)).toEqual(['self', 'two']);
    expect(await names(two)).toEqual(['two', 'self']);
    const sent = air.sent.length;
    vi.advanceTimersByTime(2000);
    await turn();
    expect(air.sent.length).toBe(sent + 2);
    await two.stop();
    expect(await names(one)).toEqual(['self']);
    vi.advanceTimersByTime(4000);
    await turn();
    expect(await names(one)).toEqual(['self']);
  });

  it('does not announce itself if disabled, and still receives the announcements of others', async () => {
    const own = registryOf({}, { intervalMs: 0 });
    other('a');
    await own.stop();
    expect(air.sent).toHaveLength(1);
    expect(await names(own)).toEqual(['self', 'a']);
  });

  it('has rates from one announcement to the next, and none if a worker restarted', async () => {
    const own = registryOf();
    const rates = async () => {
      const [, a] = await own.nodes();
      return [a?.publicationsPerSecond, a?.deliveriesPerSecond];
    };
    other('a', { publicationsIn: 100, deliveries: 1000 });
    expect(await rates()).toEqual([null, null]);
    vi.advanceTimersByTime(2000);
    other('a', { publicationsIn: 300, deliveries: 5000 });
    expect(await rates()).toEqual([100, 2000]);
    vi.advanceTimersByTime(2000);
    other('a', { publicationsIn: 300, deliveries: 4000 });
    expect(await rates()).toEqual([0, null]);
  });

  it('shows a silent one as such, does not count it, and forgets it after a minute', async () => {
    const own = registryOf();
    other('a');
    vi.advanceTimersByTime(7000);
    expect((await own.nodes())[1]).toMatchObject({ nodeId: 'a', heardMsAgo: 7000 });
    expect(own.size).toBe(1);
    vi.advanceTimersByTime(54_000);
    expect(await names(own)).toEqual(['self']);
  });

  it('remembers a limited number of others, until one leaves', async () => {
    const own = registryOf({}, { nodesMax: 2 });
    for (const name of ['a', 'b', 'c']) other(name);
    expect(await names(own)).toEqual(['self', 'a', 'b']);
    air.announce('nodes', encodeAnnouncement({ instance: 'i-a', leaving: true }));
    for (const name of ['b', 'c']) other(name);
    expect(await names(own)).toEqual(['self', 'b', 'c']);
  });

  it('warns once about another node with the same name; not about a predecessor', async () => {
    registryOf();
    await turn();
    other('self', { instance: 'i-before' });
    expect(log).toEqual([]);
    for (let i = 0; i < 3; i++) other('self', { instance: 'i-namesake', host: 'elsewhere' });
    expect(log).toHaveLength(1);
    expect(JSON.parse(log[0] as string)).toMatchObject({ level: 'warn', host: 'elsewhere', msg: expect.stringContaining('same nodeId') });
  });

  it('does not wait for one status before the next, and survives a failed one', async () => {
    let asked = 0;
    let answer = Promise.reject<NodeStatus>(new Error('no'));
    answer.catch(() => undefined);
    const status = () => {
      asked++;
      return answer;
    };
    const own = registryOf({}, { status });
    await turn();
    expect(asked).toBe(1);
    let resolve: (status: NodeStatus) => void = () => undefined;
    answer = new Promise((done) => {
      resolve = done;
    });
    vi.advanceTimersByTime(20_000);
    await turn();
    expect(asked).toBe(2);
    resolve(STATUS);
    await turn();
    expect(await names(own)).toEqual(['self']);
    expect(log).toHaveLength(1);
  });

  it('ignores what is not an announcement', async () => {
    const own = registryOf();
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(bytes, (data) => {
        fc.pre(decodeAnnouncement(data) === undefined);
        air.announce('nodes', data);
      }),
    );
    other('a', { connections: -1 });
    other('b', { host: 'x'.repeat(5000) });
    air.announce('nodes', encodeAnnouncement({ ...STATUS, instance: 'i-c', topics: Number.NaN }));
    expect(await names(own)).toEqual(['self']);
  });
});
