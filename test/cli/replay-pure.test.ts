import { describe, expect, it } from 'vitest';
import type { PublishAck } from '../../src/bus/publication.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { parseSettings, positiveInteger, positiveNumber, topicArgument } from '../../src/cli/options.ts';
import type { OutgoingPublication, Publisher } from '../../src/cli/publisher.ts';
import { Pace } from '../../src/cli/replay/pace.ts';
import { type ReplayPlan, replay } from '../../src/cli/replay/run.ts';
import { parseTimeMs } from '../../src/cli/replay/time.ts';
import { Window } from '../../src/cli/replay/window.ts';
import { parseTopic } from '../../src/protocol/topic.ts';

describe('parseTimeMs', () => {
  it('reads milliseconds, as a number and as text', () => {
    expect(parseTimeMs(0)).toBe(0);
    expect(parseTimeMs(1577898000065)).toBe(1577898000065);
    expect(parseTimeMs('1577898000065')).toBe(1577898000065);
    expect(parseTimeMs('12.5')).toBe(12.5);
    expect(parseTimeMs(-3)).toBe(-3);
  });

  it('reads YYYYMMDD HHMMSSmmm as UTC, with or without milliseconds', () => {
    expect(parseTimeMs('20200101 170000065')).toBe(Date.UTC(2020, 0, 1, 17, 0, 0, 65));
    expect(parseTimeMs('20200229 235959999')).toBe(Date.UTC(2020, 1, 29, 23, 59, 59, 999));
    expect(parseTimeMs('20200101 170000')).toBe(Date.UTC(2020, 0, 1, 17));
  });

  it('reads ISO 8601, as UTC where no zone is named', () => {
    const utc = Date.UTC(2020, 0, 1, 17, 0, 0, 65);
    expect(parseTimeMs('2020-01-01T17:00:00.065Z')).toBe(utc);
    expect(parseTimeMs('2020-01-01T17:00:00.065')).toBe(utc);
    expect(parseTimeMs('2020-01-01 17:00:00,065')).toBe(utc);
    expect(parseTimeMs('2020-01-01T18:00:00.065+01:00')).toBe(utc);
    expect(parseTimeMs('2020-01-01')).toBe(Date.UTC(2020, 0, 1));
    expect(parseTimeMs('2020-01-01T17:00')).toBe(Date.UTC(2020, 0, 1, 17));
  });

  it.each([
    '',
    'soon',
    '20201301 000000000',
    '20200230 000000000',
    '20200101 240000000',
    '20200101 006000',
    '2020-13-01',
    '2020',
    '1,5',
    null,
    undefined,
    {},
    true,
    Number.NaN,
  ])('finds no time in %j', (value) => {
    // '2020' is milliseconds: a bare number always is.
    expect(parseTimeMs(value)).toBe(value === '2020' ? 2020 : undefined);
  });
});

describe('Pace', () => {
  it('plays the file’s own timing, divided by the speed, anchored at the first record', () => {
    const pace = new Pace(60, Number.POSITIVE_INFINITY);
    expect(pace.waitMs(6000, 1000)).toBe(0);
    expect(pace.waitMs(66_000, 1000)).toBe(1000);
    expect(pace.waitMs(66_000, 1990)).toBe(10);
    expect(pace.waitMs(126_000, 2500)).toBe(500);
  });

  it('does not wait when it is late, and catches up with the file’s clock', () => {
    const pace = new Pace(1, Number.POSITIVE_INFINITY);
    pace.waitMs(0, 0);
    expect(pace.waitMs(100, 500)).toBe(0);
    expect(pace.waitMs(1000, 500)).toBe(500);
  });

  it('plays on at once where the file’s clock steps back', () => {
    const pace = new Pace(1, Number.POSITIVE_INFINITY);
    pace.waitMs(5000, 0);
    expect(pace.waitMs(1000, 10)).toBe(0);
  });

  it('never waits at full speed without a limit', () => {
    const pace = new Pace(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect([pace.waitMs(0, 0), pace.waitMs(9e9, 0), pace.waitMs(undefined, 0)]).toEqual([0, 0, 0]);
  });

  it('stays below the rate limit of the other side, even at infinite speed', () => {
    const pace = new Pace(Number.POSITIVE_INFINITY, 100);
    expect([pace.waitMs(undefined, 0), pace.waitMs(undefined, 0), pace.waitMs(undefined, 15), pace.waitMs(undefined, 500)]).toEqual([
      0, 10, 5, 0,
    ]);
  });
});

describe('Window', () => {
  it('lets as many through as it has places, and the next one when a place is free', async () => {
    const window = new Window(2);
    await window.take();
    await window.take();
    let third = false;
    const waiting = window.take().then(() => {
      third = true;
    });
    await Promise.resolve();
    expect(third).toBe(false);
    window.release();
    await waiting;
    expect(third).toBe(true);
    window.release();
    window.release();
    await window.drained();
  });
});

describe('replay', () => {
  /** Acks when told to; the real destinations are tested as processes. */
  class ManualPublisher implements Publisher {
    readonly destination = 'here';
    readonly ratePerSecondMax = Number.POSITIVE_INFINITY;
    readonly windowMax: number;
    readonly sent: OutgoingPublication[] = [];
    waiting = 0;
    mostWaiting = 0;
    readonly #answer: (index: number) => Promise<PublishAck>;

    constructor(windowMax: number, answer: (index: number) => Promise<PublishAck>) {
      this.windowMax = windowMax;
      this.#answer = answer;
    }

    async publish(publication: OutgoingPublication): Promise<PublishAck> {
      this.sent.push(publication);
      this.mostWaiting = Math.max(this.mostWaiting, ++this.waiting);
      try {
        return await this.#answer(this.sent.length);
      } finally {
        this.waiting--;
      }
    }

    async close(): Promise<void> {}
  }

  async function* records(count: number, timeStepMs = 0) {
    for (let i = 1; i <= count; i++) yield { lineNumber: i, value: { i, at: i * timeStepMs } };
  }
  const plan: ReplayPlan = {
    topic: parseTopic('scores.a'),
    speed: Number.POSITIVE_INFINITY,
    strict: false,
    timeField: undefined,
    key: null,
    keyField: undefined,
  };
  const quiet = { onBadLine: () => {}, onProgress: () => {} };
  const never = new AbortController().signal;
  const acked = async (offset: number): Promise<PublishAck> => ({ epoch: 'e', offset, duplicate: false });

  it('sends every record in order, with no more waiting for acks than the window permits', async () => {
    const publisher = new ManualPublisher(4, async (offset) => {
      await new Promise((resolve) => setImmediate(resolve));
      return acked(offset);
    });
    const outcome = await replay(records(50), publisher, plan, quiet, never);
    expect(outcome).toEqual({ kind: 'done', counts: { acknowledged: 50, duplicates: 0, badLines: 0, firstOffset: 1, lastOffset: 50 } });
    expect(publisher.sent.map(({ json }) => JSON.parse(json).i)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(publisher.mostWaiting).toBe(4);
  });

  it('counts an invalid line and continues, or stops at it when strict', async () => {
    const bad: [number, string][] = [];
    const events = { ...quiet, onBadLine: (line: number, problem: string) => bad.push([line, problem]) };
    async function* mixed() {
      yield { lineNumber: 2, value: 1 };
      yield { lineNumber: 3, problem: 'torn' };
      yield { lineNumber: 4, value: 2 };
    }
    expect(await replay(mixed(), new ManualPublisher(1, acked), plan, events, never)).toMatchObject({
      kind: 'done',
      counts: { acknowledged: 2, badLines: 1 },
    });
    expect(bad).toEqual([[3, 'torn']]);
    const strict = await replay(mixed(), new ManualPublisher(1, acked), { ...plan, strict: true }, quiet, never);
    expect(strict).toMatchObject({ kind: 'refused', lineNumber: 3, counts: { acknowledged: 1, badLines: 1 }, error: { message: 'torn' } });
  });

  it('counts a record that the other side refuses for itself as a bad line', async () => {
    const publisher = new ManualPublisher(1, async (index) => {
      if (index === 2) throw Object.assign(new Error('70000 bytes'), { code: 'message_too_big' });
      return acked(index);
    });
    expect(await replay(records(3), publisher, plan, quiet, never)).toMatchObject({
      kind: 'done',
      counts: { acknowledged: 2, badLines: 1 },
    });
  });

  it('stops at an error that the next record would get too, even while it waits for a later record', async () => {
    const publisher = new ManualPublisher(4, async () => {
      throw Object.assign(new Error('not you'), { code: 'forbidden' });
    });
    const outcome = await replay(records(3, 3_600_000), publisher, { ...plan, speed: 1, timeField: 'at' }, quiet, never);
    expect(outcome).toMatchObject({ kind: 'refused', lineNumber: 1, error: { code: 'forbidden' } });
    expect(publisher.sent).toHaveLength(1);
  });

  it('ends at the signal, in the middle of a wait, when everything sent is acknowledged', async () => {
    const abort = new AbortController();
    const publisher = new ManualPublisher(4, async (offset) => {
      abort.abort();
      return acked(offset);
    });
    const outcome = await replay(records(3, 3_600_000), publisher, { ...plan, speed: 1, timeField: 'at' }, quiet, abort.signal);
    expect(outcome).toMatchObject({ kind: 'stopped', counts: { acknowledged: 1 } });
  });

  it('counts duplicates', async () => {
    const publisher = new ManualPublisher(1, async () => ({ epoch: 'e', offset: 7, duplicate: true }));
    expect(await replay(records(2), publisher, plan, quiet, never)).toMatchObject({
      counts: { acknowledged: 2, duplicates: 2, firstOffset: 7, lastOffset: 7 },
    });
  });
});

describe('arguments', () => {
  it('reads durations with their unit', () => {
    expect(['500ms', '90s', '10m', '1h', '7d', '1.5h'].map((text) => parseDuration('--expires', text))).toEqual([
      500, 90_000, 600_000, 3_600_000, 604_800_000, 5_400_000,
    ]);
    for (const text of ['', '1', 'h', '-1h', '0s', '1 h', '1w'])
      expect(() => parseDuration('--expires', text)).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }));
  });

  it('reads --set with any text after the first equals sign', () => {
    expect(parseSettings(['a.b=c=d', 'e='])).toEqual({ 'a.b': 'c=d', e: '' });
    for (const text of ['a', '=b']) expect(() => parseSettings([text])).toThrow('expected path=value');
  });

  it('reads numbers above 0', () => {
    expect([positiveNumber('--n', '0.5'), positiveInteger('--n', '3')]).toEqual([0.5, 3]);
    for (const text of ['0', '-1', 'x', '', 'Infinity'])
      expect(() => positiveNumber('--n', text)).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => positiveInteger('--n', '1.5')).toThrow('--n "1.5": expected a whole number');
  });

  it('refuses an invalid topic', () => {
    expect(topicArgument('scores.a')).toBe('scores.a');
    expect(() => topicArgument('scores..a')).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
