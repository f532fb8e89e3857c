import { accessSync, constants as fsConstants, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname } from 'node:path';
import { Command, Option } from 'commander';
import type { BenchResult } from '../bench/verdict.ts';
import type { NodeAnswer, NodesAnswer } from '../http/api/schemas/nodes.ts';
import type { PublishAnswer } from '../http/api/schemas/publish.ts';
import type { Refusal } from '../http/api/schemas/refusal.ts';
import type { Topic } from '../protocol/topic.ts';
import { formatDuration, formatNumber } from '../telemetry/format.ts';
import { AdminApi } from './admin/admin-api.ts';
import type { AdminOptions } from './admin/admin-options.ts';
import { parseDuration } from './duration.ts';
import { badValue, CliError } from './errors.ts';
import { nodeUrl } from './node-url.ts';
import { addConfigOptions, addNodeOptions, integerUpTo, loadFromOptions, type NodeOptions, numberUpTo, topicArgument } from './options.ts';
import { note, print } from './output.ts';

interface BenchCommandOptions extends AdminOptions, NodeOptions {
  readonly connections: string;
  readonly rate: string;
  readonly duration: string;
  readonly payload: string;
  readonly p99: string;
  readonly processes?: string;
  readonly calibrate?: string;
}

/** From one address to one port there are 28,000. */
const CONNECTIONS_MAX = 25_000;
const RATE_MAX = 1000;
const DURATION_MAX_MS = 600_000;
const CONNECTIONS_PER_PROCESS = 2500;
/** A stamp and what is around it. */
const PAYLOAD_MIN = 64;
const PAYLOAD_MAX = 60_000;
const PROCESSES_MAX = 64;
/** What a connection costs is a difference: of fewer nothing can be seen. */
const CALIBRATION_CONNECTIONS_MIN = 100;

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('open connections to a running node, publish to all of them, and say whether it keeps up. Exit code 1 if it does not')
    .argument('<topic>', 'a topic for it alone, in a namespace without keys that clients may subscribe to: scores.bench')
    .option('--connections <n>', `connections, at most ${CONNECTIONS_MAX}`, '1000')
    .option('--rate <n>', `publications per second, at most ${RATE_MAX}`, '10')
    .option('--duration <duration>', 'how long, at most 10m', '10s')
    .option('--payload <bytes>', 'bytes of a publication', '200')
    .option('--p99 <duration>', 'the verdict is bad if 1% of the deliveries take longer', '500ms')
    .option('--processes <n>', 'processes of clients (default: one for 2,500 connections, at most one per core)')
    .option('--admin-url <url>', 'the admin port of the node, where it publishes (default: admin.host and admin.port)')
    .addOption(
      new Option(
        '--calibrate <file>',
        'measure what connections, publications and deliveries cost the node, and write it for `stentor plan --constants`',
      ).conflicts('rate'),
    )
    .option('--json', 'print the result as one line of JSON');
  return addConfigOptions(addNodeOptions(command, true))
    .action(run)
    .addHelpText(
      'after',
      `
It publishes through the HTTP API: the config must have a token with the scope publish, as on the node. All subscribers of the topic get what it publishes, and a
durable topic keeps it. A latency is the time from when a publication was due until a client has it. Run it on another machine than the node: on the same one they
share the cores. For more than ${CONNECTIONS_MAX} connections run it on several machines at the same time; each counts its own publications only.

--calibrate takes about eight times --duration, at rates of its own. It needs a node that has one worker and no other clients, and at least ${CALIBRATION_CONNECTIONS_MIN} connections, better 5000:
a plan with workers that are busier than this one is not known.

Examples:
  $ stentor bench scores.bench
  $ stentor bench scores.bench --calibrate mine.json --connections 5000
  $ stentor bench scores.bench --url wss://live.example.com/ws --admin-url http://10.0.0.5:9090 --connections 20000 --rate 5 --duration 60s`,
    );
}

async function run(topicText: string, options: BenchCommandOptions): Promise<void> {
  const topic = topicArgument(topicText);
  const url = options.url ?? nodeUrl((await loadFromOptions(options)).config);
  const plan = planOf(options, url);
  if (options.calibrate !== undefined) assertCanCalibrate(options.calibrate, plan.connections);
  const api = await AdminApi.from(options, 'publish');
  await assertRoom(api, plan.connections, options.calibrate !== undefined);
  if (options.calibrate !== undefined) return runCalibration({ ...options, url }, options.calibrate, topic, api, plan);
  const { runBench } = await import('../bench/run.ts');
  const ending = new AbortController();
  const end = () => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  const { token, encoding } = options;
  const publish = (payloads: readonly string[]) => publishAll(api, topic, payloads);
  const result = await runBench({ ...plan, url, token, encoding, topic, publish, onProgress: note, signal: ending.signal });
  process.off('SIGINT', end).off('SIGTERM', end);
  if (options.json) print(JSON.stringify(result));
  else for (const line of linesOf(result, plan.p99MaxMs)) print(line);
  if (result.verdict === 'bad') throw new CliError('bad_verdict', result.reasons[0] ?? 'see above');
}

/** Before minutes of measuring. @throws CliError `usage` */
function assertCanCalibrate(path: string, connections: number): void {
  if (connections < CALIBRATION_CONNECTIONS_MIN)
    throw badValue('--connections', String(connections), `expected at least ${CALIBRATION_CONNECTIONS_MIN} with --calibrate`);
  if (path === '' || path.startsWith('-')) throw badValue('--calibrate', path, 'expected the name of a file');
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new Error('it is a folder');
    accessSync(found === undefined ? dirname(path) : path, fsConstants.W_OK);
  } catch (error) {
    throw badValue('--calibrate', path, `expected a file that can be written: ${(error as Error).message}`);
  }
}

/** @throws CliError `bad_verdict`: the machine or the node could not do even this little */
async function runCalibration(
  options: BenchCommandOptions & { readonly url: string },
  path: string,
  topic: Topic,
  api: AdminApi,
  plan: ReturnType<typeof planOf>,
): Promise<void> {
  const [{ runBench }, { calibrate }] = await Promise.all([import('../bench/run.ts'), import('../bench/plan/calibrate.ts')]);
  const { url, token, encoding } = options;
  const publish = (payloads: readonly string[]) => publishAll(api, topic, payloads);
  const counters = async () => {
    const text = await api.metrics();
    return {
      cpuSeconds: sumOfMetric(text, 'process_cpu_seconds_total'),
      framesOut: sumOfMetric(text, 'stentor_frames_out_total'),
    };
  };
  const calibrating = calibrate({
    connections: plan.connections,
    payloadBytes: plan.payloadBytes,
    machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    counters,
    nowMs: () => performance.now(),
    onProgress: note,
    run: async ({ connections, perSecond, begin, end }) => {
      const processes = Math.min(plan.processes, connections);
      const given = { ...plan, connections, perSecond, processes, url, token, encoding, topic, publish, onProgress: () => undefined };
      const result = await runBench({ ...given, signal: new AbortController().signal, onOpened: begin, onSettled: end });
      if (result.connections.ready < connections)
        throw new CliError('bad_verdict', result.reasons[0] ?? 'not all connections could be opened');
      return result.publications.stored;
    },
  });
  const constants = await calibrating.catch((error) => {
    throw error instanceof RangeError ? new CliError('bad_verdict', error.message) : error;
  });
  writeFileSync(path, `${JSON.stringify(constants, undefined, 2)}\n`);
  if (options.json) return print(JSON.stringify(constants));
  print(
    `written to ${path}: a write costs ${constants.sendUs.toFixed(1)} µs, a joined publication ${constants.deliveryUs.toFixed(2)} µs of CPU`,
  );
}

/** The sum over all labels. */
function sumOfMetric(text: string, name: string): number {
  let sum = 0;
  for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))) sum += Number(value);
  return sum;
}

function planOf({ connections, rate, duration, payload, p99, processes }: BenchCommandOptions, url: string) {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) throw badValue('--url', url, 'expected a URL like ws://localhost:8080/ws');
  const count = integerUpTo('--connections', connections, CONNECTIONS_MAX);
  const cores = availableParallelism();
  return {
    connections: count,
    perSecond: numberUpTo('--rate', rate, RATE_MAX),
    durationMs: parseDuration('--duration', duration, DURATION_MAX_MS),
    payloadBytes: Math.max(PAYLOAD_MIN, integerUpTo('--payload', payload, PAYLOAD_MAX)),
    p99MaxMs: parseDuration('--p99', p99),
    processes:
      processes === undefined
        ? Math.min(cores, Math.ceil(count / CONNECTIONS_PER_PROCESS))
        : Math.min(count, integerUpTo('--processes', processes, PROCESSES_MAX)),
  };
}

/** The bench must not take the places of clients. @throws CliError `busy`, `unsuitable` */
async function assertRoom(api: AdminApi, wanted: number, calibrates: boolean): Promise<void> {
  const found = await placesOf(api).catch((error) => {
    // A token with only the scope publish may not ask.
    if (error instanceof CliError && error.code === 'forbidden') return undefined;
    throw error;
  });
  if (found === undefined) return;
  const { free, workers } = found;
  if (calibrates && workers !== 1)
    throw new CliError(
      'unsuitable',
      `the node has ${workers} workers: calibrate a node with --workers 1, what the others cost would be taken for its own`,
    );
  if (free >= wanted) return;
  throw new CliError(
    'busy',
    `the nodes have room for ${free} more connections, not for ${wanted}: raise the limit of open files, or limits.connectionsPerWorkerMax`,
  );
}

async function placesOf(api: AdminApi): Promise<{ readonly free: number; readonly workers: number }> {
  const [{ workers }, { nodes }] = await Promise.all([api.get<NodeAnswer>('node'), api.get<NodesAnswer>('nodes')]);
  // What a node has announced of itself may be older than its workers.
  const places = [...workers, ...nodes.filter(({ self, silent }) => !self && !silent)];
  const free = places.reduce((sum, { connections, connectionsMax }) => sum + connectionsMax - connections, 0);
  return { free, workers: workers.length };
}

async function publishAll(api: AdminApi, topic: string, payloads: readonly string[]): Promise<string[]> {
  const publications = payloads.map((data) => ({ topic, data: JSON.parse(data) }));
  const { outcomes } = await api.post<{ readonly outcomes: readonly (PublishAnswer | Refusal)[] }>('publish-many', { publications });
  return outcomes.flatMap((outcome) => {
    if (!('error' in outcome)) return [];
    const { code, message } = outcome.error;
    // Whatever is published, it will be refused.
    if (code !== 'busy' && code !== 'unavailable' && code !== 'outcome_unknown')
      throw new CliError(code, `cannot publish to ${topic}: ${message}`);
    return [code];
  });
}

function linesOf(
  { connections, publications, deliveries, latency, clientCpuShare, verdict, reasons }: BenchResult,
  p99MaxMs: number,
): string[] {
  const ms = (value: number) => `${formatNumber(value)} ms`;
  const whole = (value: number) => formatNumber(value);
  return [
    `connections   ${whole(connections.ready)} of ${whole(connections.wanted)}, opened in ${formatDuration(connections.openedInMs)}`,
    `publications  ${whole(publications.stored)} of ${whole(publications.wanted)}, ${whole(publications.perSecond)}/s`,
    `deliveries    ${whole(deliveries.delivered)} of ${whole(deliveries.expected)}, ${whole(deliveries.perSecond)}/s`,
    latency === undefined
      ? 'latency       nothing was delivered'
      : `latency       p50 ${ms(latency.p50Ms)}, p95 ${ms(latency.p95Ms)}, p99 ${ms(latency.p99Ms)}, max ${ms(latency.maxMs)} (wanted: p99 up to ${ms(p99MaxMs)})`,
    `clients' CPU  ${Math.round(clientCpuShare * 100)}% of a core, at most`,
    `verdict       ${verdict}`,
    ...reasons.map((reason) => `  - ${reason}`),
  ];
}
