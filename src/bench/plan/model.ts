import type { CostConstants } from './constants.ts';
import { type NatsLayout, type NatsWork, simulateNats, smallestLayout } from './nats-servers.ts';

/** What is asked of all nodes together. */
export interface Load {
  readonly connections: number;
  readonly topics: number;
  /** Connections that follow a topic, on average. */
  readonly membersPerTopic: number;
  /** Publications a second of a topic, on average. */
  readonly ratePerTopic: number;
  readonly payloadBytes: number;
}

export interface Fleet {
  readonly nodes: number;
  readonly workersPerNode: number;
  /** That a node has for itself. */
  readonly coresPerNode: number;
  /** `tuning.fanout.pacingPeriodMaxMs`. */
  readonly pacingPeriodMaxMs: number;
  /** `tuning.nats.filterTopicsMax`; 0 also for NATS before 2.10. */
  readonly filterTopicsMax: number;
  /** A log follows the whole namespace; ephemeral topics are asked for one by one. */
  readonly durable: boolean;
}

/** What one node does and needs, when everything is spread evenly. */
export interface NodeForecast {
  readonly connections: number;
  readonly publicationsPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** To each connection. */
  readonly writesPerSecond: number;
  /** Of one core. */
  readonly hubAndWorkersCores: number;
  readonly workerCores: number;
  /** Time in which a worker writes to all of its connections that have something. */
  readonly passMs: number;
  readonly memoryBytes: number;
  readonly sentBitsPerSecond: number;
  /** What NATS sends to it. */
  readonly natsBitsPerSecond: number;
  /** Why the figures cannot be relied on; empty: they can. */
  readonly unknown: readonly string[];
}

/** What NATS does for all nodes. */
export interface NatsForecast {
  readonly publicationsPerSecond: number;
  readonly messagesPerSecond: number;
  readonly bitsPerSecond: number;
  /** Of all its servers together. */
  readonly cores: number;
  /** What to do, where one server or one namespace is not enough. */
  readonly advice: readonly string[];
}

/** A third of what a hub was seen to take: src/OPERATING.md, `-s hub-intake`. */
const NAMESPACE_PER_SECOND_MAX = 50_000;

/** Pure: what NATS does when each of so many nodes does this. */
export function forecastNats(
  constants: CostConstants,
  { topics, ratePerTopic, payloadBytes }: Load,
  { nodes, durable }: Pick<Fleet, 'nodes' | 'durable'>,
  { publicationsPerSecond: ofNode }: Pick<NodeForecast, 'publicationsPerSecond'>,
): NatsForecast {
  const work: NatsWork = {
    nodes,
    publicationsPerSecond: topics * ratePerTopic,
    ofNodePerSecond: ofNode,
    messageBytes: payloadBytes + NATS_BYTES,
    durable,
  };
  const layout = smallestLayout(constants, work);
  const servers = simulateNats(constants, work, layout ?? { kind: 'one' });
  const sumOf = (of: (server: (typeof servers)[number]) => number) => servers.reduce((sum, server) => sum + of(server), 0);
  return {
    publicationsPerSecond: work.publicationsPerSecond,
    messagesPerSecond: sumOf(({ sent }) => sent),
    bitsPerSecond: sumOf(({ bitsPerSecond }) => bitsPerSecond),
    cores: sumOf(({ cores }) => cores),
    advice: [
      ...adviceFor(layout),
      ...(ofNode > NAMESPACE_PER_SECOND_MAX ? ['use more namespaces, each on nodes of its own: a hub takes one at a time'] : []),
    ],
  };
}

function adviceFor(layout: NatsLayout | undefined): string[] {
  switch (layout?.kind) {
    case undefined:
      return ['use more namespaces, each with a NATS server of its own: one server cannot take and pass on that many publications'];
    case 'one':
      return [];
    case 'cluster':
      return [`spread the nodes over ${layout.servers} NATS servers: a cluster, or leaf nodes`];
    case 'mirrors':
      return [
        `spread the nodes over ${layout.mirrors} NATS servers beside the first: a mirror of the stream on each, or leaf nodes with mirrors`,
      ];
  }
}

/** Headers of WebSocket, TCP and IP for a write, and what surrounds an item. */
const WRITE_BYTES = 70;
const ITEM_BYTES = 30;
/** Subject, headers and acknowledgement subject of a message from NATS. */
const NATS_BYTES = 180;
/** Of each publication, hub's part: the rest is a worker's. */
const HUB_SHARE = 0.4;
/** As `fanout/pacing.ts` decides. */
const LOAD = [0.5, 1] as const;
const JOINED = [1.5, 3] as const;
/** Items much larger than those of the calibration cost more to write. */
const PAYLOAD_FACTOR_MAX = 4;
/** Processes that have fewer cores than they are, and use more than this of them, wait for each other. */
const SHARED_CORES_MAX = 0.15;
/** Publications a second, of those of the calibration: with more, each costs less. */
const RATE_FACTOR_MAX = 2;

/** Pure: what a node of such a fleet does with the load. */
export function forecast(constants: CostConstants, load: Load, fleet: Fleet): NodeForecast {
  const { nodes, workersPerNode, durable, filterTopicsMax } = fleet;
  const workers = nodes * workersPerNode;
  const { connections, topics, membersPerTopic, ratePerTopic, payloadBytes } = load;
  const deliveries = topics * membersPerTopic * ratePerTopic;
  const topicsOnNode = topics * shareWithMember(membersPerTopic, nodes);
  const topicsOnWorker = topics * shareWithMember(membersPerTopic, workers);
  const wanted = topicsOnNode * ratePerTopic;
  const followsAll = durable && (filterTopicsMax === 0 || topicsOnNode > filterTopicsMax);
  const followed = followsAll ? Math.max(0, topics * ratePerTopic - wanted) : 0;
  const perWorker = { connections: connections / workers, deliveries: deliveries / workers, publications: topicsOnWorker * ratePerTopic };
  const topicsPerConnection = (topics * membersPerTopic) / Math.max(1, connections);
  const ownTopics = topicsPerConnection > 1.5 || membersPerTopic < 16;
  const sendUs = ownTopics ? (constants.ownSendUs ?? constants.sendUs) : constants.sendUs;
  const publicationUs = publicationCost(constants, wanted);
  const writes = writesPerSecond(perWorker, sendUs, fleet.pacingPeriodMaxMs);
  const workerUs =
    perWorker.publications * publicationUs * (1 - HUB_SHARE) +
    perWorker.connections * (constants.connectionUs + writes * sendUs) +
    Math.max(0, perWorker.deliveries - perWorker.connections * writes) * constants.deliveryUs;
  // Half of it for the hub, and half for each worker.
  const idleUs = (constants.nodeUs / 2) * (1 + workersPerNode);
  const hubUs = idleUs + wanted * publicationUs * HUB_SHARE + followed * constants.followedUs;
  const workerCores = workerUs / 1e6;
  const allCores = hubUs / 1e6 + workerCores * workersPerNode;
  const writesOfNode = (connections / nodes) * writes;
  return {
    connections: connections / nodes,
    publicationsPerSecond: wanted + followed,
    deliveriesPerSecond: deliveries / nodes,
    writesPerSecond: writes,
    hubAndWorkersCores: allCores,
    workerCores,
    passMs: (perWorker.connections * sendUs) / 1000,
    memoryBytes:
      constants.nodeBytes * (1 + workersPerNode) +
      (connections / nodes) * (constants.connectionBytes + topicsPerConnection * constants.subscriptionBytes),
    sentBitsPerSecond: 8 * (writesOfNode * WRITE_BYTES + (deliveries / nodes) * (payloadBytes + ITEM_BYTES)),
    natsBitsPerSecond: 8 * (wanted + followed) * (payloadBytes + NATS_BYTES),
    unknown: doubts(constants, load, fleet, { wanted, workerCores, ownTopics, allCores }),
  };
}

/** How likely it is that one of so many places has a member. */
function shareWithMember(members: number, places: number): number {
  return places <= 1 ? Math.min(1, members) : 1 - (1 - 1 / places) ** members;
}

/** Between rates of the calibration on a straight line of logarithms, and as measured beyond them. */
export function publicationCost({ publication }: { readonly publication: readonly RatePoint[] }, perSecond: number): number {
  const next = publication.findIndex((point) => point.perSecond >= perSecond);
  const above = publication.at(next) as RatePoint;
  const below = publication[next - 1];
  if (below === undefined || next === -1) return above.us;
  const share = Math.log(perSecond / below.perSecond) / Math.log(above.perSecond / below.perSecond);
  return below.us * (above.us / Math.max(below.us, 1e-9)) ** share;
}

type RatePoint = CostConstants['publication'][number];

interface WorkerLoad {
  readonly connections: number;
  readonly deliveries: number;
}

/** Writes to a connection a second: one for each publication, unless a pass takes longer, or the worker waits to join them. */
function writesPerSecond({ connections, deliveries }: WorkerLoad, sendUs: number, periodMaxMs: number): number {
  const rate = deliveries / Math.max(1, connections);
  const periodMs = periodMaxMs * between((deliveries * sendUs) / 1e6, LOAD) * between((rate * periodMaxMs) / 1000, JOINED);
  const passMs = (connections * sendUs) / 1000;
  return Math.min(rate, 1000 / Math.max(periodMs, passMs, 1e-3));
}

function between(value: number, [none, all]: readonly [number, number]): number {
  return Math.min(1, Math.max(0, (value - none) / (all - none)));
}

interface Found {
  /** Publications a second that have members on the node. */
  readonly wanted: number;
  readonly workerCores: number;
  readonly ownTopics: boolean;
  readonly allCores: number;
}

function doubts(
  { publication, workerCoresMax, ownSendUs, payloadBytes: calibrated }: CostConstants,
  { payloadBytes }: Load,
  { workersPerNode, coresPerNode }: Pick<Fleet, 'workersPerNode' | 'coresPerNode'>,
  { wanted, workerCores, ownTopics, allCores }: Found,
): string[] {
  const percent = (cores: number) => `${Math.round(cores * 100)}%`;
  const whole = (value: number) => Math.round(value).toLocaleString('en');
  const fastest = publication.at(-1)?.perSecond ?? 0;
  return [
    ...(workerCores > workerCoresMax
      ? [`a worker would use ${percent(workerCores)} of a core; up to ${percent(workerCoresMax)} was measured`]
      : []),
    ...(wanted > fastest * RATE_FACTOR_MAX
      ? [`a node would have ${whole(wanted)} publications/s; up to ${whole(fastest)} were measured, and with more each costs less`]
      : []),
    ...(ownTopics && ownSendUs === undefined ? ['connections with topics of their own were not measured'] : []),
    ...(coresPerNode < 1 + workersPerNode && allCores > coresPerNode * SHARED_CORES_MAX
      ? [
          'hub and workers have fewer cores than they are processes, so they wait for each other, take several publications at once, and use less',
        ]
      : []),
    ...(payloadBytes > calibrated * PAYLOAD_FACTOR_MAX
      ? [`publications of ${payloadBytes} bytes were not measured, only of ${calibrated}`]
      : []),
  ];
}
