import { totalmem } from 'node:os';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { LoopLag } from './loop-lag.ts';
import { packageVersion } from './version.ts';

/**
 * Metrics of the operating system and Node about this process, under the names that Prometheus' client libraries use. prom-client's own set is not used: it
 * lists /proc/self/fd at every scrape, which blocks the loop at 100,000 connections.
 *
 * @param part `hub` or `worker`: a label, because a node has several processes
 */
export function registerProcessMetrics(registry: Registry, part: 'hub' | 'worker', loopLag: LoopLag): void {
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

  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'JavaScript objects.', () => process.memoryUsage().heapUsed);
  gauge('nodejs_external_memory_bytes', 'Buffers and other memory outside the heap that JavaScript holds.', () => {
    return process.memoryUsage().external;
  });
  gauge('process_start_time_seconds', 'Start of the process, seconds since 1970.', () => performance.timeOrigin / 1000);
  registerCpu(registry, labels);
  gauge('nodejs_eventloop_lag_p99_seconds', 'Delay of timers, 99th percentile since the last scrape.', () => loopLag.p99Seconds);
  gauge('nodejs_eventloop_lag_max_seconds', 'The longest delay of a timer since the last scrape.', () => loopLag.takeMaxSeconds());
}

/** Metrics that exist once per node, not per process. */
export function registerNodeMetrics(registry: Registry, nodeId: string): void {
  const info = { version: packageVersion(), node_version: process.version, node_id: nodeId };
  new Gauge({
    name: 'stentor_build_info',
    help: 'Always 1; the labels have version, Node version and node id.',
    labelNames: Object.keys(info),
    registers: [registry],
  }).set(info, 1);
  new Gauge({
    name: 'stentor_memory_limit_bytes',
    help: "Memory limit of all processes of the node: the container's limit, or the memory of the machine.",
    registers: [registry],
  }).set(memoryLimitBytes());
}

/** `constrainedMemory` is 0, or more than the machine has, if the process has no limit. */
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
