import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BusError } from '../../../src/bus/bus-error.ts';
import { Revocations } from '../../../src/hub/ending/revocations.ts';
import type { ToWorker } from '../../../src/link/messages.ts';
import type { Revocation } from '../../../src/link/orders.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

describe('The revocations that a hub knows', () => {
  let kept: Revocation[];
  let away: boolean;
  let ended: Revocation[];
  let told: ToWorker[];
  let log: string[];
  const made: Revocations[] = [];
  let reconnect: () => void;
  /** What the workers have not carried out yet waits for it. */
  let workersDone: Promise<void>;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    [kept, away, ended, told, log, workersDone] = [[], false, [], [], [], Promise.resolve()];
  });
  afterEach(() => {
    for (const one of made.splice(0)) one.stop();
    vi.useRealTimers();
  });

  function start(mode = 'refuse', revocationsMax = 100): Revocations {
    const all = async () => {
      if (away) throw new BusError('bus_unreachable', 'NATS is away');
      return kept;
    };
    const put = async (revocation: Revocation) => {
      if (away) throw new BusError('bus_unreachable', 'NATS is away');
      kept.push(revocation);
    };
    const bus = {
      connected: true,
      revocations: { all, put },
      onConnectedChange: (listener: (connected: boolean) => void) => {
        reconnect = () => listener(true);
        return () => undefined;
      },
    };
    const revocations = new Revocations({
      config: { auth: { revocations: mode }, tuning: { auth: { revocationsMax } } } as never,
      bus: bus as never,
      logger: createLogger({ level: 'debug', format: 'json' } as never, { write: (line) => void log.push(line) }),
      workers: new Set([{ send: (message: ToWorker) => void told.push(message) }]) as never,
      revoke: async (some) => {
        ended.push(...some);
        await workersDone;
        return some.length;
      },
    });
    made.push(revocations);
    return revocations;
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const last = () => told.at(-1) as Extract<ToWorker, { kind: 'revocations' }>;

  it('are read at the start, again and again until it succeeds, and workers are told when all are known', async () => {
    kept = [{ tokenId: 't1' }];
    away = true;
    start();
    await pass(5000);
    expect(told).toEqual([]);
    expect(log.filter((line) => line.includes('cannot be read'))).toHaveLength(1);
    away = false;
    await pass(1000);
    expect(last()).toMatchObject({ complete: true, revocations: [{ tokenId: 't1' }] });
    expect(ended).toEqual([{ tokenId: 't1' }]);
  });

  it('are ended once, however they come to be known', async () => {
    const revocations = start();
    await pass(1);
    await revocations.keep({ user: 'ann', issuedBeforeMs: 5 });
    expect(await revocations.add({ user: 'ann', issuedBeforeMs: 5 })).toBe(1);
    expect(await revocations.add({ user: 'ann', issuedBeforeMs: 4 })).toBe(0);
    reconnect();
    await pass(60_000);
    expect(ended).toEqual([{ user: 'ann', issuedBeforeMs: 5 }]);
    expect(await revocations.add({ user: 'ann', issuedBeforeMs: 6 })).toBe(1);
    expect(revocations.size).toBe(1);
  });

  it('are answered when the workers have carried them out, also those that a read has brought before', async () => {
    const revocations = start();
    await pass(1);
    let done = () => {};
    workersDone = new Promise((resolve) => {
      done = resolve;
    });
    await revocations.keep({ tokenId: 'both' });
    reconnect();
    await pass(1);
    expect(ended).toEqual([{ tokenId: 'both' }]);
    let answered = false;
    const adding = revocations.add({ tokenId: 'both' }).then((connections) => {
      answered = true;
      return connections;
    });
    await pass(1000);
    expect(answered).toBe(false);
    done();
    expect(await adding).toBe(0);
  });

  it('hold while the bus is away, and a new one cannot be kept then', async () => {
    kept = [{ tokenId: 't1' }];
    const revocations = start();
    await pass(1);
    away = true;
    await pass(120_000);
    expect(revocations.size).toBe(1);
    await expect(revocations.keep({ tokenId: 't2' })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('are over when they are kept no more, and workers are told; but not what has only just come', async () => {
    kept = [{ tokenId: 'old' }];
    const revocations = start();
    await pass(45_000);
    kept = [];
    await revocations.add({ tokenId: 'new' });
    await pass(50_000);
    expect(last()).toMatchObject({ complete: true, revocations: [{ tokenId: 'new' }] });
    await pass(90_000);
    expect(revocations.size).toBe(0);
    expect(last().revocations).toEqual([]);
  });

  it('are bounded: the oldest are forgotten, and the log says so', async () => {
    const revocations = start('accept', 2);
    await pass(1);
    for (const tokenId of ['1', '2', '3']) await revocations.add({ tokenId });
    expect(revocations.size).toBe(2);
    expect(log.some((line) => line.includes('revocationsMax'))).toBe(true);
  });

  it('are none where they are off', async () => {
    const revocations = start('off');
    await pass(60_000);
    await expect(revocations.keep({ tokenId: 't1' })).rejects.toMatchObject({ code: 'unsupported' });
    expect(await revocations.add({ tokenId: 't1' })).toBe(0);
    expect([told, ended]).toEqual([[], []]);
  });
});
