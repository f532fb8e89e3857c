import { emptyRun } from '../measure/empty-run.ts';
import { coresOf, load, publishedPerSecond, runWarm, specOf } from './loads.ts';
import type { Scenario } from './scenario.ts';

const MANY = 12;
const MEMBERS_PER_NODE = 250;
const RATES = [10, 110] as const;

/** A run: what NATS, and each node, used at so many publications a second. */
interface Point {
  readonly perSecond: number;
  readonly natsCores: number;
}

export const twelveNodes: Scenario = {
  name: 'twelve-nodes',
  title: '12 nodes on one NATS: one topic of 3,000, 10 and 110 publications a second',
  describes:
    'The same with 1 node, each with 250 members. What NATS uses for a publication (`natsPublicationUs`), and for each node that it sends it to (`natsMessageUs`), is ' +
    'from the differences between the rates and between the numbers of nodes. `stentor-nats` stores each publication.',
  servers: ['stentor-nats-ephemeral', 'stentor-nats'],
  baseline: 'stentor-nats-ephemeral',
  targets: [],
  async run(server, pair, overrides) {
    const extra: Record<string, number> = {};
    const invalid: string[] = [];
    const measure = async (nodes: number, rate: number): Promise<Point> => {
      const members = MEMBERS_PER_NODE * nodes;
      const run = await runWarm(server, pair, specOf(load(members, 1, members, rate), nodes, overrides));
      if (run.invalid !== '') invalid.push(`${nodes} nodes at ${rate}: ${run.invalid}`);
      const natsCores = run.extra?.brokerCores ?? Number.NaN;
      extra[`${nodes}x${rate}.nodeCores`] = coresOf(run) / nodes;
      extra[`${nodes}x${rate}.natsCores`] = natsCores;
      extra[`${nodes}x${rate}.p99Ms`] = run.groups[0]?.latency.p99Ms ?? Number.NaN;
      extra[`${nodes}x${rate}.nodeMiB`] = run.residentMiB / nodes;
      return { perSecond: publishedPerSecond(run), natsCores };
    };
    const one = [await measure(1, RATES[0]), await measure(1, RATES[1])] as const;
    const many = [await measure(MANY, RATES[0]), await measure(MANY, RATES[1])] as const;
    return emptyRun(server.name, pair, { ...extra, ...natsCosts(one, many) }, invalid.join('; '));
  },
};

/** A publication costs NATS something, and something more for each node that it is sent to. What it uses when nothing is published drops out. */
function natsCosts(one: readonly [Point, Point], many: readonly [Point, Point]) {
  const perPublication = ([low, high]: readonly [Point, Point]) =>
    ((high.natsCores - low.natsCores) * 1e6) / (high.perSecond - low.perSecond);
  const natsMessageUs = (perPublication(many) - perPublication(one)) / (MANY - 1);
  return { natsMessageUs, natsPublicationUs: perPublication(one) - natsMessageUs };
}
