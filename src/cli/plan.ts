import { readFileSync, statSync } from 'node:fs';
import { Command } from 'commander';
import type { CostConstants } from '../bench/plan/constants.ts';
import type { Fleet, Load, NatsForecast } from '../bench/plan/model.ts';
import type { FleetPlan, Wishes } from '../bench/plan/search.ts';
import { counted, formatNumber } from '../telemetry/format.ts';
import { parseDuration } from './duration.ts';
import { badValue, CliError } from './errors.ts';
import { integerUpTo, numberUpTo } from './options.ts';
import { print } from './output.ts';

interface PlanOptions {
  readonly connections: string;
  readonly topics: string;
  readonly members?: string;
  readonly rate: string;
  readonly payload: string;
  readonly workers: string;
  readonly nodeCores?: string;
  readonly nodes?: string;
  readonly cores: string;
  readonly pass: string;
  readonly ephemeral?: boolean;
  readonly constants?: string;
  readonly json?: boolean;
}

const EXPONENTS: Readonly<Record<string, number>> = { K: 3, M: 6, G: 9 };
/** Of connections, topics and members. */
const COUNT_MAX = 1e9;
const RATE_MAX = 1e6;
/** Those of the settings `namespaces.<name>.maxPayloadBytes` and `workers`. */
const PAYLOAD_MAX = 1_048_576;
const WORKERS_MAX = 256;
const NODE_CORES_MAX = 1024;
const PASS_MAX_MS = 60_000;
const CONSTANTS_BYTES_MAX = 65_536;
/** Limits of a node that are not asked for. */
const CONNECTIONS_PER_WORKER_MAX = 50_000;
const PACING_PERIOD_MS = 75;
const FILTER_TOPICS_MAX = 1000;

export function planCommand(): Command {
  return new Command('plan')
    .description(
      'how many nodes a load needs, and what each does. Exit code 1 if no number of nodes can carry it, or not the one of --nodes',
    )
    .requiredOption('--connections <n>', 'connections of all clients: 20000, 500K, 2M')
    .option('--topics <n>', 'topics that are published to', '1')
    .option('--members <n>', 'connections that follow a topic, on average (default: all)')
    .option('--rate <n>', 'publications a second of a topic, on average', '1')
    .option('--payload <bytes>', 'bytes of a publication', '200')
    .option('--workers <n>', 'workers of a node: one for each core but one', '3')
    .option('--node-cores <n>', 'CPU of a node, as in the limit of a container (default: a core for each worker and one for the hub)')
    .option('--nodes <n>', 'say what each of so many nodes does, and whether they are enough')
    .option('--cores <share>', 'most that a worker or a hub may use of a core, and a node of its CPU', '0.6')
    .option('--pass <duration>', 'most that a worker may take to write to all of its connections', '500ms')
    .option('--ephemeral', 'the namespace is not durable: nodes subscribe to single topics')
    .option('--constants <file>', 'what `stentor bench --calibrate` wrote on your machine (default: measured on ours)')
    .option('--json', 'print the result as one line of JSON')
    .action(run)
    .addHelpText(
      'after',
      `
Everything is taken as spread evenly: members over nodes, publications over topics and time. A feed that comes in bursts needs what its bursts need.

Examples:
  $ stentor plan --connections 2M --rate 5                                       one match for everybody
  $ stentor plan --connections 200K --topics 5000 --members 2K --rate 1          watchlists of 50
  $ stentor plan --connections 1M --topics 1M --members 1 --rate 0.05 --ephemeral  a topic for each user
  $ stentor bench scores.bench --calibrate mine.json --connections 5000 && stentor plan --connections 2M --rate 5 --constants mine.json`,
    );
}

async function run(options: PlanOptions): Promise<void> {
  const [{ DEFAULT_CONSTANTS }, { parseConstants }, { forecast, forecastNats }, { excess, NODES_MAX, nodesFor }] = await Promise.all([
    import('../bench/plan/default-constants.ts'),
    import('../bench/plan/constants.ts'),
    import('../bench/plan/model.ts'),
    import('../bench/plan/search.ts'),
  ]);
  const constants = options.constants === undefined ? DEFAULT_CONSTANTS : constantsIn(options.constants, parseConstants);
  const load = loadOf(options);
  const workersPerNode = integerUpTo('--workers', options.workers, WORKERS_MAX);
  const { nodeCores = `${workersPerNode + 1}` } = options;
  const fleet: Omit<Fleet, 'nodes'> = {
    workersPerNode,
    coresPerNode: numberUpTo('--node-cores', nodeCores, NODE_CORES_MAX),
    pacingPeriodMaxMs: PACING_PERIOD_MS,
    filterTopicsMax: FILTER_TOPICS_MAX,
    durable: options.ephemeral !== true,
  };
  const wishes = wishesOf(options);
  const given = options.nodes === undefined ? undefined : integerUpTo('--nodes', options.nodes, NODES_MAX);
  const told = ({ nodes, node, because }: FleetPlan): Told => {
    return { nodes, node, because, nats: forecastNats(constants, load, { ...fleet, nodes }, node) };
  };
  const least = nodesFor(constants, load, fleet, wishes);
  if (given === undefined) {
    if ('nodes' in least) return tell(options, told(least), fleet, constants);
    const advice = 'Use several namespaces, more workers, or fewer publications';
    throw new CliError('impossible', `not even ${formatNumber(NODES_MAX)} nodes can carry it: ${least.impossible}. ${advice}`);
  }
  const asked = told({ nodes: given, node: forecast(constants, load, { ...fleet, nodes: given }), because: '' });
  tell(options, asked, fleet, constants);
  const tooMuch = excess(asked.node, fleet, wishes);
  if (tooMuch === undefined) return;
  const enough = 'nodes' in least ? `${formatNumber(least.nodes)} can` : 'no number of nodes can';
  throw new CliError('too_few', `${counted(given, 'node')} cannot carry it: ${tooMuch}; ${enough}`);
}

/** @throws CliError `usage` */
function wishesOf({ cores, pass }: PlanOptions): Wishes {
  return {
    // A process has one thread that works.
    coresPerProcessMax: numberUpTo('--cores', cores, 1),
    passMsMax: parseDuration('--pass', pass, PASS_MAX_MS),
    connectionsPerWorkerMax: CONNECTIONS_PER_WORKER_MAX,
  };
}

/** @throws CliError `usage` */
function loadOf({ connections, topics, members, rate, payload }: PlanOptions): Load {
  const all = wholeIn('--connections', connections);
  const membersPerTopic = members === undefined ? all : numberIn('--members', members, COUNT_MAX);
  if (membersPerTopic > all) throw badValue('--members', members ?? '', 'expected at most as many as --connections');
  return {
    connections: all,
    topics: wholeIn('--topics', topics),
    membersPerTopic,
    ratePerTopic: numberIn('--rate', rate, RATE_MAX),
    payloadBytes: integerUpTo('--payload', payload, PAYLOAD_MAX),
  };
}

/** `2M`, `1.5K`, `300`. @throws CliError `usage` */
function wholeIn(option: string, text: string): number {
  const value = numberIn(option, text, COUNT_MAX);
  if (!Number.isInteger(value)) throw badValue(option, text, 'expected a whole number');
  return value;
}

/** `2M`, `1.5K`, `0.2`: averages need not be whole. @throws CliError `usage` */
function numberIn(option: string, text: string, max: number): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)$/i.exec(text.trim()) ?? [];
  // As a literal: 2.3 times a million is less than 2,300,000.
  const value = Number(`${digits}e${EXPONENTS[unit.toUpperCase()] ?? 0}`);
  if (digits === '' || !(value > 0)) throw badValue(option, text, 'expected a number above 0 like 300, 1.5K or 2M');
  if (value > max) throw badValue(option, text, `expected at most ${formatNumber(max)}`);
  return value;
}

/** @throws CliError `usage` */
function constantsIn(path: string, parse: (text: string) => CostConstants): CostConstants {
  try {
    const found = statSync(path);
    if (!found.isFile() || found.size > CONSTANTS_BYTES_MAX) throw new Error(`expected a file of at most ${CONSTANTS_BYTES_MAX} bytes`);
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw badValue('--constants', path, (error as Error).message);
  }
}

interface Told extends FleetPlan {
  readonly nats: NatsForecast;
}

function tell(
  { json = false }: PlanOptions,
  told: Told,
  { workersPerNode }: Pick<Fleet, 'workersPerNode'>,
  { measured }: CostConstants,
): void {
  if (json) return print(JSON.stringify({ ...told, workersPerNode, measured }));
  for (const line of linesOf(told, workersPerNode, measured)) print(line);
}

function linesOf({ nodes, node, nats, because }: Told, workers: number, measured: string): string[] {
  const whole = (value: number) => formatNumber(Math.round(value));
  const mbit = (bits: number) => `${formatNumber(Math.ceil(bits / 1e5) / 10)} Mbit/s`;
  const cores = (value: number) => value.toFixed(2);
  const perSecond = (value: number) => (value < 1 ? value.toFixed(2) : formatNumber(value));
  const why = nodes === 1 ? because : `one less: ${because}`;
  const { unknown } = node;
  return [
    `nodes           ${whole(nodes)} with ${counted(workers, 'worker')}${because === '' ? '' : ` (${why})`}`,
    `each node       ${whole(node.connections)} connections, ${whole(node.deliveriesPerSecond)} deliveries/s, ${perSecond(node.publicationsPerSecond)} publications/s from NATS`,
    `CPU             ${cores(node.hubAndWorkersCores)} cores: ${cores(node.workerCores)} for each worker, ${cores(node.hubAndWorkersCores - node.workerCores * workers)} for the hub`,
    `a connection    ${perSecond(node.writesPerSecond)} writes/s; a worker takes ${formatNumber(node.passMs)} ms for all of its connections`,
    `memory          ${whole(node.memoryBytes / 2 ** 20)} MiB a node, without send buffers of slow clients`,
    `network         ${mbit(node.sentBitsPerSecond)} to clients a node, ${mbit(node.sentBitsPerSecond * nodes)} in all`,
    `NATS            ${perSecond(nats.publicationsPerSecond)} publications/s in, ${perSecond(nats.messagesPerSecond)} messages/s to nodes, ${mbit(nats.bitsPerSecond)}, ${cores(nats.cores)} cores`,
    ...nats.advice.map((advice) => `                ${advice}`),
    `constants       ${measured}`,
    ...unknown.map((why) => `NOT KNOWN       ${why}: calibrate with such a load, or measure it`),
  ];
}
