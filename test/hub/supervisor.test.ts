import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { HubMetrics } from '../../src/hub/hub-metrics.ts';
import { Supervisor } from '../../src/hub/supervisor.ts';
import type { WorkerEvents } from '../../src/hub/worker-links.ts';
import type { StartWorker, WorkerEnd } from '../../src/hub/worker-process.ts';
import type { HubEnd } from '../../src/link/link.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const BACKOFF_MS = 200;
const QUEUE_BYTES_MAX = 256 * 1024 * 1024;
const DRAIN_TIMEOUT_MS = 5000;
const FACTS = { uws: 'u', connectionsMax: 10 };
const CRASH: WorkerEnd = { exitCode: null, signal: 'SIGSEGV' };

/** A worker process that exists only here: the test says what it does. */
interface FakeWorker {
  readonly index: number;
  readonly port: number;
  readonly told: string[];
  readonly events: WorkerEvents;
  queuedBytes: number;
  isClosed: boolean;
  isKilled: boolean;
  end(how: WorkerEnd): void;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(settings: Readonly<Record<string, unknown>> = {}) {
  const { config } = loadConfig({
    env: {},
    flags: {
      'tuning.hub.workerRestartBackoffMs': BACKOFF_MS,
      'tuning.hub.linkQueueBytesMax': QUEUE_BYTES_MAX,
      'hub.drainTimeoutMs': DRAIN_TIMEOUT_MS,
      ...settings,
    },
  });
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ level: 'info', pretty: false }, { write: (line) => void lines.push(JSON.parse(line)) });
  const workers: FakeWorker[] = [];
  /** Starts that fail from here on, as where the machine has no process left. */
  const broken = { starts: 0 };
  let drains = 0;
  let starting: { link: HubEnd; worker: Partial<FakeWorker> } | undefined;
  const start: StartWorker = ({ onEnded }) => {
    if (broken.starts > 0) {
      broken.starts--;
      queueMicrotask(() => onEnded({ err: Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' }) }));
      return undefined;
    }
    const worker = { told: [] as string[], queuedBytes: 0, isClosed: false, isKilled: false } as unknown as FakeWorker;
    const link = {
      send: ({ kind }: { kind: string }) => void worker.told.push(kind),
      close: () => {
        worker.isClosed = true;
      },
      get queuedBytes() {
        return worker.queuedBytes;
      },
    } as unknown as HubEnd;
    Object.assign(worker, { end: onEnded });
    starting = { link, worker };
    const kill = () => {
      if (worker.isKilled) return;
      worker.isKilled = true;
      queueMicrotask(() => onEnded({ exitCode: null, signal: 'SIGKILL' }));
    };
    workers.push(worker);
    return { pid: 1000 + workers.length, link, kill };
  };
  const links = {
    metrics: new HubMetrics(new Registry(), logger),
    attach: (link: HubEnd, index: number, port: number, events: WorkerEvents) => {
      if (link !== starting?.link) throw new Error('another link than that of the worker which is started');
      Object.assign(starting.worker, { index, port, events });
    },
    drain: () => void drains++,
  };
  const supervisor = new Supervisor(config, links, logger, start);
  const restarts = async () => (await links.metrics.workerRestarts.get()).values[0]?.value ?? 0;
  return { supervisor, workers, lines, broken, restarts, drains: () => drains };
}

type SetUp = ReturnType<typeof setUp>;

/** With all of its workers listening. */
async function started(count: number, settings: Readonly<Record<string, unknown>> = {}): Promise<SetUp> {
  const all = setUp(settings);
  const port = all.supervisor.start(count, 7000);
  for (const { events } of all.workers) {
    events.onPrepared();
    events.onListening(7000, FACTS);
  }
  expect(await port).toBe(7000);
  return all;
}

/** Lets microtasks run. */
const settled = () => vi.advanceTimersByTimeAsync(0);
const pausesOf = ({ lines }: SetUp) => lines.flatMap(({ pauseMs }) => (pauseMs === undefined ? [] : [pauseMs]));

describe('a start of workers', () => {
  it('lets them all listen at the same time, as soon as the last of them is ready', async () => {
    const { supervisor, workers } = setUp();
    const port = supervisor.start(3, 7000);
    expect(workers.map(({ index, port: shared }) => [index, shared])).toEqual([
      [0, 7000],
      [1, 7000],
      [2, 7000],
    ]);
    workers[0]!.events.onPrepared();
    workers[2]!.events.onPrepared();
    expect(workers.flatMap(({ told }) => told)).toEqual([]);
    workers[1]!.events.onPrepared();
    expect(workers.map(({ told }) => told)).toEqual([['listen'], ['listen'], ['listen']]);
    workers[0]!.events.onListening(7000, FACTS);
    expect(await port).toBe(7000);
    expect(supervisor.pids).toEqual([1001, 1002, 1003]);
  });

  it('does not wait longer than 10 s for one that is not ready', async () => {
    const { supervisor, workers } = setUp();
    void supervisor.start(2, 7000);
    workers[0]!.events.onPrepared();
    await vi.advanceTimersByTimeAsync(9999);
    expect(workers[0]!.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(workers[0]!.told).toEqual(['listen']);
  });

  it('does not wait for one that has ended', async () => {
    const { supervisor, workers } = setUp();
    void supervisor.start(2, 7000);
    workers[0]!.events.onPrepared();
    workers[1]!.end(CRASH);
    expect(workers[0]!.told).toEqual(['listen']);
  });

  it('fails with the failure of the first worker, and stops the others permanently', async () => {
    const { supervisor, workers, restarts } = setUp();
    const failed = expect(supervisor.start(2, 7000)).rejects.toMatchObject({ code: 'listen_failed', message: 'the port is taken' });
    workers[0]!.events.onStartFailed({ code: 'listen_failed', message: 'the port is taken' });
    await failed;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(workers.map(({ isKilled }) => isKilled)).toEqual([true, true]);
    expect([supervisor.pids, await restarts()]).toEqual([[], 0]);
  });

  it('fails with worker_failed when the first worker ends before it listens', async () => {
    const { supervisor, workers } = setUp();
    const failed = expect(supervisor.start(1, 7000)).rejects.toMatchObject({ code: 'worker_failed' });
    workers[0]!.end({ exitCode: 7, signal: null });
    await failed;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(workers).toHaveLength(1);
  });

  it('fails with the error of the system when there is no process to be had', async () => {
    const { supervisor, broken } = setUp();
    broken.starts = 1;
    await expect(supervisor.start(1, 7000)).rejects.toMatchObject({ code: 'EAGAIN' });
  });

  it('continues without a worker that cannot start, and restarts it after a pause', async () => {
    const all = setUp();
    const { supervisor, workers, lines } = all;
    const port = supervisor.start(2, 7000);
    workers[1]!.events.onStartFailed({ code: 'uws_unavailable', message: 'no uWebSockets.js' });
    workers[0]!.events.onPrepared();
    workers[0]!.events.onListening(7000, FACTS);
    expect(await port).toBe(7000);
    await settled();
    expect(workers[1]!.isKilled).toBe(true);
    expect(lines).toContainEqual(expect.objectContaining({ worker: 1, code: 'uws_unavailable' }));
    await vi.advanceTimersByTimeAsync(BACKOFF_MS);
    expect(workers[2]).toMatchObject({ index: 1, told: ['listen'] });
  });
});

describe('a worker that ends unexpectedly', () => {
  it('is restarted after a pause, on the same port, and listens immediately', async () => {
    const { workers, restarts, supervisor } = await started(2);
    workers[1]!.end(CRASH);
    expect(workers[1]!.isClosed).toBe(true);
    expect(supervisor.pids).toEqual([1001]);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS - 1);
    expect(workers).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(workers[2]).toMatchObject({ index: 1, port: 7000, told: ['listen'] });
    expect([supervisor.pids, await restarts()]).toEqual([[1001, 1003], 1]);
  });

  it('waits twice as long after each early crash, up to 30 s', async () => {
    const all = await started(1);
    for (let crash = 0; crash < 10; crash++) {
      all.workers.at(-1)!.end(CRASH);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(all.workers).toHaveLength(crash + 2);
    }
    const pauses = pausesOf(all);
    expect(pauses.slice(0, 3)).toEqual([BACKOFF_MS, 2 * BACKOFF_MS, 4 * BACKOFF_MS]);
    expect(pauses.at(-1)).toBe(30_000);
  });

  it('starts over with the shortest pause when it has run for more than 30 s', async () => {
    const all = await started(1);
    for (let crash = 0; crash < 3; crash++) {
      all.workers.at(-1)!.end(CRASH);
      await vi.advanceTimersByTimeAsync(BACKOFF_MS * 2 ** crash);
    }
    await vi.advanceTimersByTimeAsync(30_001);
    all.workers.at(-1)!.end(CRASH);
    expect(pausesOf(all)).toEqual([BACKOFF_MS, 2 * BACKOFF_MS, 4 * BACKOFF_MS, BACKOFF_MS]);
  });

  it('is retried if no process can be created', async () => {
    const all = await started(1);
    all.broken.starts = 2;
    all.workers[0]!.end(CRASH);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS * (1 + 2 + 4));
    expect(all.workers).toHaveLength(2);
    expect(pausesOf(all)).toEqual([BACKOFF_MS, 2 * BACKOFF_MS, 4 * BACKOFF_MS]);
  });
});

describe('a worker that does not read its messages', () => {
  it('is killed and restarted if more than linkQueueBytesMax wait, and not before', async () => {
    const { workers } = await started(2);
    workers[0]!.queuedBytes = QUEUE_BYTES_MAX;
    workers[1]!.queuedBytes = QUEUE_BYTES_MAX + 1;
    await vi.advanceTimersByTimeAsync(1000);
    expect(workers.map(({ isKilled }) => isKilled)).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS);
    expect(workers[2]).toMatchObject({ index: 1, isKilled: false });
  });
});

describe('a stop of workers', () => {
  it('drains them, and resolves when the last of them has exited; none is restarted', async () => {
    const { supervisor, workers, drains, restarts } = await started(2);
    let stopped = false;
    const stopping = supervisor.stop().then(() => {
      stopped = true;
    });
    expect(drains()).toBe(1);
    workers[1]!.events.onDrained();
    expect(workers.map(({ isClosed }) => isClosed)).toEqual([false, true]);
    workers[1]!.end({ exitCode: 0, signal: null });
    await settled();
    expect(stopped).toBe(false);
    workers[0]!.end(CRASH);
    await stopping;
    await vi.advanceTimersByTimeAsync(100_000);
    expect([workers.length, workers.some(({ isKilled }) => isKilled), await restarts()]).toEqual([2, false, 0]);
  });

  it('kills what has not exited after drainTimeoutMs', async () => {
    const { supervisor, workers } = await started(2);
    const stopping = supervisor.stop();
    workers[0]!.end({ exitCode: 0, signal: null });
    await vi.advanceTimersByTimeAsync(DRAIN_TIMEOUT_MS - 1);
    expect(workers[1]!.isKilled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await stopping;
    expect(workers.map(({ isKilled }) => isKilled)).toEqual([false, true]);
  });

  it('does not wait for a worker that waits for its restart, and does not start it', async () => {
    const { supervisor, workers, drains } = await started(1);
    workers[0]!.end(CRASH);
    await supervisor.stop();
    await vi.advanceTimersByTimeAsync(100_000);
    expect([workers.length, drains()]).toEqual([1, 0]);
  });

  it('leaves no timer behind', async () => {
    const { supervisor, workers } = await started(1);
    const stopping = supervisor.stop();
    workers[0]!.end({ exitCode: 0, signal: null });
    await stopping;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a replacement of all workers', () => {
  /** The latest process starts to listen. */
  const listens = ({ workers }: SetUp) => {
    workers.at(-1)!.events.onPrepared();
    workers.at(-1)!.events.onListening(7000, FACTS);
    return settled();
  };
  const exits = ({ workers }: SetUp, i: number) => {
    workers[i]!.events.onDrained();
    expect(workers[i]!.isClosed).toBe(true);
    workers[i]!.end({ exitCode: 0, signal: null });
    return settled();
  };

  it('lets a new one listen before the old one drains, one after the other; nothing counts as a restart', async () => {
    const all = await started(2);
    const { supervisor, workers, restarts } = all;
    let done = false;
    void supervisor.replaceWorkers().then(() => {
      done = true;
    });
    expect(workers[2]).toMatchObject({ index: 2, port: 7000, told: ['listen'] });
    expect(workers[0]!.told).toEqual(['listen']);
    await listens(all);
    expect(workers.map(({ told }) => told.includes('drain'))).toEqual([true, false, false]);
    expect(workers).toHaveLength(3);
    await exits(all, 0);
    expect(workers[3]).toMatchObject({ index: 0 });
    expect(workers[1]!.told).toEqual(['listen']);
    await listens(all);
    expect([workers[1]!.told.includes('drain'), done]).toEqual([true, false]);
    await exits(all, 1);
    expect([done, supervisor.pids, await restarts(), workers.length]).toEqual([true, [1003, 1004], 0, 4]);
    workers[2]!.end(CRASH);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS);
    expect(workers[4]).toMatchObject({ index: 2 });
  });

  it('fails when a new one does not start; the old ones go on', async () => {
    const { supervisor, workers, restarts } = await started(2);
    const failed = expect(supervisor.replaceWorkers()).rejects.toMatchObject({ code: 'tls_failed' });
    workers[2]!.events.onStartFailed({ code: 'tls_failed', message: 'no' });
    await failed;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(workers.map(({ told }) => told.includes('drain'))).toEqual([false, false, false]);
    expect([supervisor.pids, await restarts(), workers.length]).toEqual([[1001, 1002], 0, 3]);
  });

  it('gives up a new one that neither starts nor fails, after a minute', async () => {
    const { supervisor, workers } = await started(1);
    const failed = expect(supervisor.replaceWorkers()).rejects.toMatchObject({ code: 'worker_failed' });
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    expect([workers[1]!.isKilled, supervisor.pids]).toEqual([true, [1001]]);
  });

  it('kills an old one that has not drained after drainTimeoutMs', async () => {
    const all = await started(1);
    const replaced = all.supervisor.replaceWorkers();
    await listens(all);
    await vi.advanceTimersByTimeAsync(DRAIN_TIMEOUT_MS);
    await replaced;
    expect(all.workers.map(({ isKilled }) => isKilled)).toEqual([true, false]);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('does not replace one that has crashed and started again meanwhile, nor one that waits for its restart', async () => {
    const all = await started(3);
    const { supervisor, workers } = all;
    workers[2]!.end(CRASH);
    const replaced = supervisor.replaceWorkers();
    workers[1]!.end(CRASH);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS);
    expect(workers.map(({ index }) => index)).toEqual([0, 1, 2, 3, 2, 1]);
    workers[3]!.events.onListening(7000, FACTS);
    await settled();
    await exits(all, 0);
    await replaced;
    expect([supervisor.pids.length, workers.length]).toEqual([3, 6]);
  });

  it('replaces an old one that crashes while its replacement starts, and does not restart it', async () => {
    const all = await started(1);
    const replaced = all.supervisor.replaceWorkers();
    all.workers[0]!.end(CRASH);
    await listens(all);
    await replaced;
    await vi.advanceTimersByTimeAsync(100_000);
    expect([all.supervisor.pids, all.workers.length]).toEqual([[1002], 2]);
  });

  it('ends quietly when the node stops', async () => {
    const all = await started(2);
    const replaced = all.supervisor.replaceWorkers();
    const stopping = all.supervisor.stop();
    for (const i of [0, 1, 2]) all.workers[i]!.end({ exitCode: 0, signal: null });
    await Promise.all([replaced, stopping]);
    await vi.advanceTimersByTimeAsync(100_000);
    expect([all.workers.length, vi.getTimerCount()]).toEqual([3, 0]);
  });
});
