import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import { packageVersion } from './version.ts';

/** Samples of the loop's delay. Each costs a wake-up: at 20 ms they were most of what an idle node used, 0.55% of a core, and two thirds of its wake-ups at 100 ms. */
const DELAY_RESOLUTION_MS = 250;
const NANOSECONDS = 1e9;

/**
 * What the operating system and Node say of this process, under the names that Prometheus' client libraries use for it. prom-client's own set
 * is not taken: it lists /proc/self/fd at every scrape, which at 100,000 connections stops the loop.
 *
 * @param part `hub` or `worker`: a label, since a node is several processes
 */
export function registerProcessMetrics(registry: Registry, part: 'hub' | 'worker'): void {
  const registers = [registry];
  const labels = { process: part };
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['process'],
      registers,
      collect() {
        this.set(labels, read());
      },
    });

  gauge('process_resident_memory_bytes', 'Memory that the process holds.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'JavaScript objects.', () => process.memoryUsage().heapUsed);
  gauge('nodejs_external_memory_bytes', 'Buffers and other memory outside the heap that JavaScript holds.', () => {
    return process.memoryUsage().external;
  });
  gauge('process_start_time_seconds', 'Start of the process, seconds since 1970.', () => performance.timeOrigin / 1000);
  registerCpu(registry, labels);
  registerLoopDelay(gauge);
}

/** What there is once in a node, whatever its processes. */
export function registerNodeMetrics(registry: Registry, nodeId: string): void {
  const info = { version: packageVersion(), node_version: process.version, node_id: nodeId };
  new Gauge({
    name: 'stentor_build_info',
    help: 'Always 1; the labels say what runs here.',
    labelNames: Object.keys(info),
    registers: [registry],
  }).set(info, 1);
  new Gauge({
    name: 'stentor_memory_limit_bytes',
    help: "Memory that the node's processes may hold together: the container's limit, else the machine's memory.",
    registers: [registry],
  }).set(memoryLimitBytes());
}

/** `constrainedMemory` says 0, or more than there is, where nothing limits the process. */
function memoryLimitBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function registerCpu(registry: Registry, labels: { process: string }): void {
  let counted = 0;
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time that the process has used.',
    labelNames: ['process'],
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.inc(labels, (user + system - counted) / 1e6);
      counted = user + system;
    },
  });
}

function registerLoopDelay(gauge: (name: string, help: string, read: () => number) => unknown): void {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  gauge('nodejs_eventloop_lag_p99_seconds', 'How late timers fire, 99th percentile since the last scrape.', () => {
    return seconds(delay.percentile(99));
  });
  gauge('nodejs_eventloop_lag_max_seconds', 'The latest of them.', () => {
    const max = seconds(delay.max);
    delay.reset();
    return max;
  });
}

/** The histogram measures the whole time between two samples; before its first sample it is empty. */
function seconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / NANOSECONDS - DELAY_RESOLUTION_MS / 1000) : 0;
}
