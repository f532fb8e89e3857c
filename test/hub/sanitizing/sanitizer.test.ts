import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { Sanitizer, type SanitizerClock } from '../../../src/hub/sanitizing/sanitizer.ts';
import type { SanitizerWatch } from '../../../src/hub/sanitizing/sanitizer-metrics.ts';
import { packMsgpack, unpackMsgpack } from '../../../src/protocol/msgpack-codec.ts';
import { parseKey, parseTopic } from '../../../src/protocol/topic.ts';

const NAMESPACES = { raw: {}, plain: { sanitize: 'text' }, rich: { sanitize: 'html' }, keyed: { state: 'keyed', sanitize: 'text' } };

/** A clock that moves 1 ms with each look at it, and turns that the test starts. */
class StepClock implements SanitizerClock {
  turns: (() => void)[] = [];
  #now = 0;
  now(): number {
    return this.#now++;
  }
  later(callback: () => void): void {
    this.turns.push(callback);
  }
  turn(): void {
    this.turns.shift()?.();
  }
}

/** Remembers what it is told. */
class RecordingWatch implements SanitizerWatch {
  readonly outcomes: string[] = [];
  readonly codes: string[] = [];
  now: readonly [count: number, bytes: number] = [0, 0];
  cleaned(outcome: string, durationMs: number): void {
    this.outcomes.push(`${outcome} ${durationMs}`);
  }
  refused(code: string): void {
    this.codes.push(code);
  }
  waiting(count: number, bytes: number): void {
    this.now = [count, bytes];
  }
}

async function sanitizerWith(settings: Readonly<Record<string, unknown>> = {}) {
  const { config } = loadConfig({ env: {}, flags: { namespaces: NAMESPACES, 'log.level': 'silent', ...settings } });
  const clock = new StepClock();
  const watch = new RecordingWatch();
  const sanitizer = (await Sanitizer.create(config, { watch: () => watch, clock })) as Sanitizer;
  const clean = (topic: string, value: unknown) => sanitizer.clean({ topic: parseTopic(topic), key: null, data: packMsgpack(value) });
  return { sanitizer, clock, watch, clean };
}

async function cleaned(topic: string, value: unknown): Promise<unknown> {
  const { clock, clean } = await sanitizerWith();
  const draft = clean(topic, value);
  clock.turn();
  return unpackMsgpack((await draft).data);
}

describe('Sanitizer', () => {
  it('is none, where no namespace sanitizes', async () => {
    const { config } = loadConfig({ env: {}, flags: { namespaces: { raw: {} } } });
    const watch = vi.fn();
    expect(await Sanitizer.create(config, { watch })).toBeUndefined();
    expect(watch).not.toHaveBeenCalled();
  });

  it('cleans every text of the data, by the mode of the namespace', async () => {
    const data = { text: '<b>a</b><script>x</script>', list: ['<i>b</i>', 1, null, { deep: '<img src=x>c' }], n: 0x3c };
    expect(await cleaned('plain.a', data)).toEqual({ text: 'a', list: ['b', 1, null, { deep: 'c' }], n: 0x3c });
    expect(await cleaned('rich.a', data)).toEqual({ text: '<b>a</b>', list: ['<i>b</i>', 1, null, { deep: 'c' }], n: 0x3c });
    expect(await cleaned('plain.a', '<u>whole</u>')).toBe('whole');
  });

  it('leaves values that are no texts, however they look', async () => {
    const data = { bytes: Buffer.from('<b>'), at: new Date(0x3c3c3c3c), big: 2n ** 60n, text: '<b>x</b>' };
    expect(await cleaned('plain.a', data)).toEqual({ ...data, text: 'x' });
  });

  it('is done at once where there is nothing to clean, and never for another namespace', async () => {
    const { clean, clock } = await sanitizerWith();
    for (const [topic, value] of [
      ['raw.a', '<script>alert(1)</script>'],
      ['plain.a', { text: 'AT&T > all' }],
    ] as const) {
      const draft = await clean(topic, value);
      expect(unpackMsgpack(draft.data)).toEqual(value);
    }
    expect(clock.turns).toEqual([]);
  });

  it('keeps the bytes if no text has a tag', async () => {
    const { clean, clock } = await sanitizerWith();
    const data = packMsgpack({ text: 'I <3 you' });
    const draft = clean('plain.a', { text: 'I <3 you' });
    clock.turn();
    expect(Buffer.from((await draft).data)).toEqual(Buffer.from(data));
  });

  it('refuses tags in names and keys', async () => {
    const { sanitizer, clean, clock } = await sanitizerWith();
    const named = clean('plain.a', { '<b>__proto__': 1 });
    clock.turn();
    await expect(named).rejects.toMatchObject({ code: 'bad_payload' });
    const keyed = { topic: parseTopic('keyed.a'), key: parseKey('<b>'), data: packMsgpack(1) };
    expect(() => sanitizer.clean(keyed)).toThrow(expect.objectContaining({ code: 'bad_key' }));
  });

  it('refuses texts with tags above textBytesMax, and none without', async () => {
    const { clean, clock } = await sanitizerWith({ 'tuning.sanitize.textBytesMax': 300 });
    const long = clean('plain.a', [`<b>${'x'.repeat(300)}`]);
    const many = clean('plain.a', Array(10).fill('<b>'));
    const free = clean('plain.a', [`${'x'.repeat(3000)}`, '<b>x</b>']);
    clock.turn();
    clock.turn();
    await expect(long).rejects.toMatchObject({ code: 'message_too_big' });
    await expect(many).rejects.toMatchObject({ code: 'message_too_big' });
    expect(unpackMsgpack((await free).data)).toEqual(['x'.repeat(3000), 'x']);
  });

  it('says what it did, how long it took, and what waits', async () => {
    const { sanitizer, watch, clean, clock } = await sanitizerWith({ 'tuning.sanitize.queueMax': 3 });
    const drafts = ['<b>x</b>', 'I <3 you', { '<b>': 1 }].map((value) => clean('plain.a', value));
    const bytes = ['<b>x</b>', 'I <3 you', { '<b>': 1 }].reduce<number>((sum, value) => sum + packMsgpack(value).length, 0);
    expect(watch.now).toEqual([3, bytes]);
    expect(() => clean('plain.a', '<b>')).toThrow(expect.objectContaining({ code: 'busy' }));
    expect(() => sanitizer.clean({ topic: parseTopic('keyed.a'), key: parseKey('<b>'), data: packMsgpack(1) })).toThrow();
    clock.turn();
    clock.turn();
    expect(watch.outcomes).toEqual(['changed 1', 'unchanged 1', 'refused 1']);
    expect(watch.codes).toEqual(['busy', 'bad_key', 'bad_payload']);
    expect(watch.now).toEqual([0, 0]);
    expect((await Promise.allSettled(drafts)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });

  it('pauses after turnMs, and keeps the order, also of what needs no cleaning', async () => {
    const { watch, clean, clock } = await sanitizerWith({ 'tuning.sanitize.turnMs': 2 });
    const order: number[] = [];
    const all = [0, 1, 2, 3, 4].map(async (n) => {
      await clean('plain.a', n % 2 === 0 ? `<b>${n}</b>` : 'plain');
      order.push(n);
    });
    expect([watch.now[0], clock.turns.length]).toEqual([5, 1]);
    clock.turn();
    expect([watch.now[0], clock.turns.length]).toEqual([3, 1]);
    clock.turn();
    clock.turn();
    expect([watch.now[0], clock.turns.length]).toEqual([0, 0]);
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it.each([
    ['queueMax', { 'tuning.sanitize.queueMax': 3 }, '<b>x</b>'],
    ['queueBytesMax', { 'tuning.sanitize.queueBytesMax': 65_536 }, `<b>${'x'.repeat(20_000)}`],
  ])('is busy past %s, until some are done', async (_, settings, text) => {
    const { clean, clock } = await sanitizerWith({ 'tuning.sanitize.textBytesMax': 65_536, ...settings });
    const waiting = [1, 2, 3].map(() => clean('plain.a', text));
    expect(() => clean('plain.a', text)).toThrow(expect.objectContaining({ code: 'busy' }));
    clock.turn();
    clock.turn();
    await Promise.all(waiting);
    expect(clean('plain.a', text)).toBeInstanceOf(Promise);
  });
});
