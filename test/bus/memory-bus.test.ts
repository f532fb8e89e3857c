import { describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { describeBus } from '../conformance/bus.ts';
import { Inbox } from '../support/publications.ts';
import { question } from '../support/question.ts';

let nowMs = 1_700_000_000_000;

function configOf(flags: object) {
  return loadConfig({ env: {}, flags: flags as Record<string, unknown> }).config;
}

describeBus('the memory bus', {
  async open(namespaces) {
    const bus = await createBus(configOf({ namespaces }), { nowMs: () => nowMs });
    await bus.start();
    return bus;
  },
  async passTime(ms) {
    nowMs += ms;
  },
});

describe('the memory bus', () => {
  const topic = parseTopic('scores.a');
  const publish = (bus: Bus, text: string, messageId?: string) =>
    bus.publish({ topic, key: null, payload: Buffer.from(text), payloadKind: 'json', ...(messageId && { messageId }) });

  async function started(flags: object = {}): Promise<MemoryBus> {
    const bus = new MemoryBus(configOf(flags), () => nowMs);
    await bus.start();
    return bus;
  }

  it('starts every life with another epoch', async () => {
    const [one, two] = [await started(), await started()];
    expect((await one.log('scores').state()).epoch).not.toBe((await two.log('scores').state()).epoch);
  });

  it('forgets message ids after the dedupe window', async () => {
    const bus = await started({ 'tuning.memory.dedupeWindowMs': 1000 });
    await publish(bus, '1', 'id');
    nowMs += 1000;
    expect((await publish(bus, '2', 'id')).duplicate).toBe(true);
    nowMs += 1;
    expect((await publish(bus, '3', 'id')).duplicate).toBe(false);
  });

  it('remembers a limited number of message ids, the newest', async () => {
    const bus = await started({ 'tuning.memory.dedupeIdsMax': 16 });
    for (let i = 0; i < 17; i++) await publish(bus, String(i), `id${i}`);
    expect((await publish(bus, 'x', 'id1')).duplicate).toBe(true);
    expect((await publish(bus, 'x', 'id0')).duplicate).toBe(false);
  });

  it('keeps a limited number of bytes for all namespaces together; the oldest are removed first, of any namespace', async () => {
    const bus = await started({ 'memory.maxBytes': 65_536 });
    const other = parseTopic('chat.b');
    await bus.publish({ topic: other, key: null, payload: Buffer.alloc(1000), payloadKind: 'json' });
    nowMs += 1;
    for (let i = 0; i < 100; i++) await publish(bus, 'x'.repeat(1000));
    const { firstOffset, lastOffset } = await bus.log('scores').state();
    expect(await bus.log('chat').lastOffset(other)).toBe(0);
    expect(lastOffset - firstOffset + 1).toBeLessThanOrEqual(Math.floor(65_536 / 1000));
    expect(lastOffset - firstOffset + 1).toBeGreaterThan(30);
  });

  it('answers calls by the handler that serves the method, until it no longer does', async () => {
    const bus = await started();
    const stopServing = bus.serve('echo', (data) => Buffer.concat([data, Buffer.from('!')]));
    expect(await bus.call(question('echo', 'hello'))).toMatchObject({ kind: 'result', payload: Buffer.from('hello!') });
    stopServing();
    await expect(bus.call(question('echo', 'hello'))).rejects.toMatchObject({ code: 'no_responders' });
  });

  it('fails a call that is not answered in time', async () => {
    const bus = await started();
    bus.serve('never', () => new Promise(() => undefined));
    await expect(bus.call(question('never', '', 10))).rejects.toMatchObject({ code: 'call_timeout' });
  });

  it('delivers everything in order while publishes run concurrently, also with a count limit of 1', async () => {
    const bus = await started({ namespaces: { scores: { history: { maxCount: 1 } } } });
    const inbox = new Inbox();
    await bus.log('scores').follow(0, inbox.receive, inbox.fail);
    await Promise.all(Array.from({ length: 1000 }, (_, i) => publish(bus, String(i))));
    expect(inbox.texts).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
  });

  it('does not load the NATS client', async () => {
    const { execFileSync } = await import('node:child_process');
    const script = `
      import { createBus } from './src/bus/create-bus.ts';
      import { loadConfig } from './src/config/load.ts';
      const bus = await createBus(loadConfig({ env: {} }).config);
      await bus.start();
      const loaded = Object.keys((await import('node:module')).default._cache ?? {}).filter((path) => path.includes('@nats-io'));
      console.log(bus.kind, loaded.length);`;
    const out = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(out.trim()).toBe('memory 0');
  });
});
