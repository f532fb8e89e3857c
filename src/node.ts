import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { createBus } from './bus/create-bus.ts';
import type { PublishAck } from './bus/publication.ts';
import type { Config } from './config/schema.ts';
import { type DemoFeeds, startDemoFeeds } from './demo/feeds.ts';
import { readDemoPages } from './demo/pages.ts';
import { AdminServer } from './http/admin.ts';
import { Certificates } from './hub/certificates.ts';
import { Hub } from './hub/hub.ts';
import { NodeRegistry } from './hub/node-registry.ts';
import { type ProgramPublication, toDraft } from './hub/program-publication.ts';
import { Sanitizer } from './hub/sanitizing/sanitizer.ts';
import { SanitizerMetrics } from './hub/sanitizing/sanitizer-metrics.ts';
import { callForProgram, type ProgramCall, type ProgramMessage, type ProgramSent, sendForProgram } from './hub/sending/program.ts';
import type { ClientsCalled } from './hub/sending/sender.ts';
import { Supervisor } from './hub/supervisor.ts';
import { watchNodes } from './hub/watched-metrics.ts';
import type { WorkerLinks } from './hub/worker-links.ts';
import { workerProcesses } from './hub/worker-process.ts';
import { inProcessWorkers } from './in-process-worker.ts';
import type { Logger } from './telemetry/log.ts';
import { registerNodeMetrics, registerProcessMetrics } from './telemetry/process-metrics.ts';
import { packageVersion } from './telemetry/version.ts';

export interface NodeOptions {
  readonly log: Logger;
  /** Absent: no demo. */
  readonly demo?: DemoOptions | undefined;
  /** Called when a drain is requested through the HTTP API: call {@link RunningNode.stop}. Absent: such requests are refused. */
  readonly onDrainWanted?: () => void;
}

/** A demo node serves the demo pages. */
export interface DemoOptions {
  /** It publishes the demo feeds too. */
  readonly feeds: boolean;
  /** One of `auth.keys`, HS256, with the id `demo`: whoever visits the chat page gets a token that is signed with it. Absent: nobody gets one. */
  readonly visitorSecret?: string | undefined;
}

/** A running node. */
export interface RunningNode {
  /** The address that clients connect to. */
  readonly port: number;
  readonly adminPort: number;
  readonly nodeId: string;
  /** Process ids of the workers; empty with `workers: 0`. */
  readonly workerPids: readonly number[];
  /**
   * Publishes, by the same rules as clients and the HTTP API, but to every namespace. Resolves when the log has stored it, or, in ephemeral namespaces, when
   * the bus has accepted it. At most `tuning.commands.publishesInFlightMax` of a node wait at the same time.
   * @throws ProtocolError (by rejection) `bad_topic`, `bad_key`, `unknown_namespace`, `key_required`, `key_not_allowed`, `bad_payload`, `message_too_big`,
   * `busy`, `unavailable`, `outcome_unknown`: with `idempotencyKey` it may be sent again
   */
  publish(publication: ProgramPublication): Promise<PublishAck>;
  /**
   * Sends to one connection, or to every connection that is subscribed in a namespace, on all nodes: at most once, in no topic and no log.
   * @throws ProtocolError (by rejection) `bad_message`, `bad_payload`, `no_such_connection`, `unknown_namespace`, `message_too_big`, `busy`, `timeout`,
   * `unavailable`
   */
  send(message: ProgramMessage): Promise<ProgramSent>;
  /**
   * Calls a method of a client, or of all connections of a user, on all nodes. Each connection answers by itself, or has an error.
   * @throws ProtocolError (by rejection) `bad_message`, `bad_payload`, `bad_topic`, `no_such_connection`, `message_too_big`, `busy`, `unavailable`
   */
  call(call: ProgramCall): Promise<ClientsCalled>;
  /** Drains: accepts no new connections, sends `closing` to the open ones, then ends everything. Resolves when everything has ended. */
  stop(reason?: string): Promise<void>;
}

/**
 * Starts a node: bus, hub, admin listener, workers, in this order. It stops in reverse order. All wiring of the program is here.
 *
 * @throws an Error with a `code`: `bus_unreachable`, `permission_denied`, `stream_mismatch`, `server_too_old`, `listen_failed`, `uws_unavailable`
 */
export function startNode(config: Config, options: NodeOptions): Promise<RunningNode> {
  return startNodeOn(createBus, config, options);
}

/** {@link startNode} with a bus that the caller creates and can use: tests and benchmarks publish on it. The node starts it and stops it. */
export async function startNodeOn(
  makeBus: typeof createBus,
  config: Config,
  { log, demo, onDrainWanted }: NodeOptions,
): Promise<RunningNode> {
  const nodeId = config.nodeId === '' ? `node-${randomBytes(4).toString('hex')}` : config.nodeId;
  const logger = log.child({ nodeId });
  const registry = new Registry();
  registerNodeMetrics(registry, nodeId);
  const started: (() => Promise<void>)[] = [];
  const unwind = async () => {
    for (const stop of started.splice(0).reverse()) await stop();
  };
  let draining = false;
  try {
    const bus = await makeBus(config, { onNotice: ({ level, message }) => logger[level](message) });
    started.push(() => bus.stop());
    await bus.start();

    const pages = demo === undefined ? [] : await readDemoPages(config.path);
    let others: NodeRegistry | undefined;
    let admin: AdminServer | undefined;
    let workers: { readonly supervisor: Supervisor; readonly port: number } | undefined;
    const sanitizer = await Sanitizer.create(config, { watch: () => new SanitizerMetrics(registry) });
    const certificates =
      config.tls.certFile === ''
        ? undefined
        : new Certificates({
            tls: config.tls,
            checkIntervalMs: config.tuning.connections.certificateCheckIntervalMs,
            registry,
            logger,
            use: async (material) => {
              await workers?.supervisor.replaceWorkers();
              admin?.useCertificate(material);
            },
          });
    if (certificates !== undefined) started.push(() => certificates.stop());
    const tls = () => certificates?.current;
    const hub = new Hub({
      config,
      bus,
      nodeId,
      logger,
      registry,
      pages,
      visitorSecret: demo?.visitorSecret,
      sanitizer,
      tls,
      others: () => others?.others() ?? [],
    });
    started.push(() => hub.stop());
    registerProcessMetrics(registry, 'hub', hub.operator.loopLag);

    const notReady = () => {
      if (draining) return 'draining';
      if (!bus.connected) return 'the bus is not connected';
      return hub.links.listeningCount === 0 ? 'no worker is listening' : undefined;
    };
    const version = packageVersion();
    const nodeRegistry = new NodeRegistry({
      bus,
      logger,
      intervalMs: config.tuning.hub.announceIntervalMs,
      nodesMax: config.tuning.hub.nodesMax,
      status: async () => ({
        instance: hub.instance,
        nodeId,
        host: hostname(),
        version,
        uptimeMs: Math.round(process.uptime() * 1000),
        ...(await hub.operator.summary()),
        notReady: notReady() ?? null,
        announceIntervalMs: config.tuning.hub.announceIntervalMs,
        clockMs: Date.now(),
      }),
    });
    others = nodeRegistry;
    started.push(() => nodeRegistry.stop());
    watchNodes(() => nodeRegistry.size, registry);

    // Before the workers, so that it stops after them: load balancers check the health of the node while it drains.
    const adminServer = await AdminServer.start(
      {
        nodeId,
        config,
        get port() {
          return workers?.port ?? config.port;
        },
        notReady,
        registry,
        bus: () => ({ kind: bus.kind, connected: bus.connected }),
        operator: hub.operator,
        nodes: () => nodeRegistry.nodes(),
        drain: onDrainWanted,
      },
      logger,
      config.admin.tls ? certificates?.current : undefined,
    );
    admin = adminServer;
    started.push(() => adminServer.stop());

    workers = await startWorkers(config, hub.links, logger);
    const { port, supervisor } = workers;
    started.push(() => supervisor.stop());

    const feeds: DemoFeeds | undefined = demo?.feeds ? startDemoFeeds(bus, logger, { isWanted: (topic) => hub.isOpen(topic) }) : undefined;
    if (feeds !== undefined) started.push(async () => feeds.stop());

    logger.info({ port, adminPort: adminServer.port, bus: bus.kind, workers: config.workers }, 'node started');
    return {
      port,
      adminPort: adminServer.port,
      nodeId,
      publish: async (publication) => hub.operator.publish(toDraft(publication), publication.idempotencyKey),
      send: async (message) => sendForProgram(hub.operator.sender, message),
      call: async (call) => callForProgram(hub.operator.sender, call),
      get workerPids() {
        return config.workers === 0 ? [] : supervisor.pids;
      },
      async stop(reason = 'stopped') {
        draining = true;
        logger.info({ reason }, 'node stopping');
        await unwind();
        logger.info('node stopped');
      },
    };
  } catch (error) {
    await unwind();
    throw error;
  }
}

/** @returns the supervisor, and the port that its workers share */
async function startWorkers(
  config: Config,
  links: WorkerLinks,
  logger: Logger,
): Promise<{ readonly supervisor: Supervisor; readonly port: number }> {
  // The port is checked here, and chosen for processes: uWebSockets can share a port between them only if the port is given.
  const free = await freePort(config.host, config.port);
  if (config.workers === 0) {
    const supervisor = new Supervisor(config, links, logger, inProcessWorkers(logger));
    return { supervisor, port: await supervisor.start(1, config.port) };
  }
  // Only Linux distributes connections over the processes that share a port.
  const count = process.platform === 'linux' ? config.workers : 1;
  if (count < config.workers) logger.warn({ platform: process.platform }, 'only Linux shares a port between workers: running one worker');
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const entryFile = fileURLToPath(new URL(`./worker/main.${extension}`, import.meta.url));
  const supervisor = new Supervisor(config, links, logger, workerProcesses(entryFile, config.tuning.hub.linkBatchMs));
  return { supervisor, port: await supervisor.start(count, free) };
}

/**
 * Returns the port, or for 0 any free one. With SO_REUSEPORT a second node on the same port would get half of the first one's clients without an error. This
 * check binds without it.
 */
async function freePort(host: string, port: number): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      reject(Object.assign(new Error(`cannot listen on ${host}:${port}: ${cause.message}`, { cause }), { code: 'listen_failed' }));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const { port: free } = probe.address() as AddressInfo;
      probe.close(() => resolve(free));
    });
  });
}
