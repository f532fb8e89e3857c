import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { CostConstants } from '../bench/plan/constants.ts';
import type { Fleet, Load, NatsForecast, NodeForecast } from '../bench/plan/model.ts';
import { counted, formatNumber } from '../telemetry/format.ts';
import { badValue, CliError } from './errors.ts';
import { positiveInteger, positiveNumber } from './options.ts';
import { print } from './output.ts';

interface PlanOptions {
  readonly connections: string;
  readonly topics: string;
  readonly members?: string;
  readonly rate: string;
  readonly payload: string;
  readonly workers: string;
  readonly nodes?: string;
  readonly cores: string;
  readonly pass: string;
  readonly ephemeral?: boolean;
  readonly constants?: string;
  readonly json?: boolean;
}

const FACTORS: Readonly<Record<string, number>> = { K: 1e3, M: 1e6, G: 1e9 };
/** Limits of a node that are not asked for. */
const CONNECTIONS_PER_WORKER_MAX = 50_000;
const PACING_PERIOD_MS = 75;
const FILTER_TOPICS_MAX = 1000;

export function planCommand(): Command {
  return new Command('plan')
    .description('how many nodes a load needs, and what each does. Exit code 1 if no number of nodes can carry it')
    .requiredOption('--connections <n>', 'connections of all clients: 20000, 500K, 2M')
    .option('--topics <n>', 'topics that are published to', '1')
    .option('--members <n>', 'connections that follow a topic, on average (default: all)')
    .option('--rate <n>', 'publications a second of a topic, on average', '1')
    .option('--payload <bytes>', 'bytes of a publication', '200')
    .option('--workers <n>', 'workers of a node: one for each core but one', '3')
    .option('--nodes <n>', 'only say what each of so many nodes does')
    .option('--cores <share>', 'most that a worker or a hub may use of a core', '0.6')
    .option('--pass <ms>', 'most that a worker may take to write to all of its connections', '500')
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
  $ stentor plan --connections 200K --topics 5000 --members 2K --rate 2          watchlists of 50
  $ stentor plan --connections 1M --topics 1M --members 1 --rate 0.05 --ephemeral  a topic for each user
  $ stentor bench scores.bench --calibrate mine.json && stentor plan --connections 2M --rate 5 --constants mine.json`,
    );
}

async function run(options: PlanOptions): Promise<void> {
  const [{ DEFAULT_CONSTANTS }, { parseConstants }, { forecast, forecastNats }, { nodesFor }] = await Promise.all([
    import('../bench/plan/default-constants.ts'),
    import('../bench/plan/constants.ts'),
    import('../bench/plan/model.ts'),
    import('../bench/plan/search.ts'),
  ]);
  const constants = options.constants === undefined ? DEFAULT_CONSTANTS : constantsIn(options.constants, parseConstants);
  const load = loadOf(options);
  const fleet: Omit<Fleet, 'nodes'> = {
    workersPerNode: positiveInteger('--workers', options.workers),
    pacingPeriodMaxMs: PACING_PERIOD_MS,
    filterTopicsMax: FILTER_TOPICS_MAX,
    durable: options.ephemeral !== true,
  };
  const given = options.nodes === undefined ? undefined : positiveInteger('--nodes', options.nodes);
  const plan =
    given === undefined
      ? nodesFor(constants, load, fleet, {
          coresPerProcessMax: positiveNumber('--cores', options.cores),
          passMsMax: positiveNumber('--pass', options.pass),
          connectionsPerWorkerMax: CONNECTIONS_PER_WORKER_MAX,
        })
      : { nodes: given, node: forecast(constants, load, { ...fleet, nodes: given }), because: '' };
  if (plan === undefined) {
    throw new CliError(
      'impossible',
      'every node would have more publications than its processes can take: use several namespaces, or fewer publications',
    );
  }
  const nats = forecastNats(constants, load, { ...fleet, nodes: plan.nodes }, plan.node);
  tell(options, { ...plan, nats }, fleet, constants);
}

/** @throws CliError `usage` */
function loadOf({ connections, topics, members, rate, payload }: PlanOptions): Load {
  const all = countIn('--connections', connections);
  const membersPerTopic = members === undefined ? all : countIn('--members', members);
  if (members !== undefined && membersPerTopic > all) throw badValue('--members', members, 'expected at most as many as --connections');
  return {
    connections: all,
    topics: countIn('--topics', topics),
    membersPerTopic,
    ratePerTopic: positiveNumber('--rate', rate),
    payloadBytes: positiveInteger('--payload', payload),
  };
}

/** `2M`, `1.5K`, `300`. @throws CliError `usage` */
function countIn(option: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)$/i.exec(text) ?? [];
  const value = Number(digits) * (FACTORS[unit.toUpperCase()] ?? 1);
  if (digits === '' || !(value > 0) || value > Number.MAX_SAFE_INTEGER)
    throw badValue(option, text, 'expected a number like 300, 1.5K or 2M');
  return value;
}

/** @throws CliError `usage` */
function constantsIn(path: string, parse: (text: string) => CostConstants): CostConstants {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw badValue('--constants', path, (error as Error).message);
  }
}

interface Told {
  readonly nodes: number;
  readonly node: NodeForecast;
  readonly nats: NatsForecast;
  readonly because: string;
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
