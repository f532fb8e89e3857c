import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryBus } from '../../../src/bus/memory/memory-bus.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Control } from '../../../src/hub/ending/control.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

/** Nodes on one bus. Each has this number of connections that an order is for. */
const CONNECTIONS = 2;
const TIMEOUT_MS = 3000;
const ANSWERS_BYTES_MAX = 4096;

describe('An order to all nodes', () => {
  let bus: MemoryBus;
  const controls: Control[] = [];
  const { config } = loadConfig({
    env: {},
    flags: {
      'tuning.hub.orderTimeoutMs': TIMEOUT_MS,
      'tuning.hub.ordersInFlightMax': 2,
      'tuning.hub.orderBytesMax': ANSWERS_BYTES_MAX,
      'log.level': 'silent',
    },
  });

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    bus = new MemoryBus(config);
    await bus.start();
  });
  afterEach(async () => {
    for (const control of controls.splice(0)) control.stop();
    await bus.stop();
    vi.useRealTimers();
  });

  function node(instance: string, known: readonly string[] = []): Control {
    const control = new Control({
      config,
      bus,
      instance,
      logger: createLogger(config.log),
      revocations: {} as never,
      end: async () => CONNECTIONS,
      others: () => known.map((name) => ({ instance: name, nodeId: `node-${name}` })),
    });
    controls.push(control);
    return control;
  }
  const disconnect = (control: Control) => control.order({ action: 'disconnect', user: 'ann' });

  it('is answered as soon as all known nodes have carried it out', async () => {
    node('b');
    node('c');
    expect(await disconnect(node('a', ['b', 'c']))).toEqual({ nodes: 3, nodesSilent: [], connections: 3 * CONNECTIONS });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits for tuning.hub.orderTimeoutMs for those that have not, and names them', async () => {
    node('b');
    const answered = vi.fn();
    const order = disconnect(node('a', ['b', 'd', 'c'])).then(answered);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await order;
    expect(answered).toHaveBeenCalledWith({ nodes: 2, nodesSilent: ['node-c', 'node-d'], connections: 2 * CONNECTIONS });
  });

  it('is refused while tuning.hub.ordersInFlightMax of them wait for answers', async () => {
    const control = node('a', ['gone']);
    const waiting = [disconnect(control), disconnect(control)];
    await expect(disconnect(control)).rejects.toMatchObject({ code: 'busy' });
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    await Promise.all(waiting);
    const next = disconnect(control);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await next).toMatchObject({ nodesSilent: ['node-gone'] });
  });

  it.each([
    [0, 0],
    [1, 1],
  ])('takes tuning.hub.orderBytesMax of answers: with %i bytes more, %i node counts as silent', async (bytesMore, silent) => {
    const besides = JSON.stringify({ answerTo: 'a-1', from: '', connections: CONNECTIONS }).length;
    const names = ['b', 'c', 'd', 'e'].map((name) => name.repeat(ANSWERS_BYTES_MAX / 4 - besides));
    names.push(`${names.pop()}${'e'.repeat(bytesMore)}`);
    for (const name of names) node(name);
    const order = disconnect(node('a', names));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    const { nodes, nodesSilent } = await order;
    expect([nodes, nodesSilent.length]).toEqual([5 - silent, silent]);
  });
});
