import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import { isTopic, namespaceOf, type Topic } from '../../protocol/topic.ts';
import {
  type Bus,
  type BusCounters,
  BusError,
  type BusNotice,
  type FaultCount,
  type Listener,
  type Log,
  type Publication,
  type PublishAck,
  type PublishRequest,
} from '../bus.ts';
import { checkAddress } from '../check-address.ts';
import { deliver } from '../deliver.ts';
import { SubjectFaults } from '../subject-faults.ts';
import { NODES_SUBJECT, rpcSubjectOf, subjectOf, topicFilter } from '../subjects.ts';
import { connectionOptions } from './connect-options.ts';
import { Connection, connectFirst } from './connection.ts';
import { EphemeralSubjects } from './ephemeral-subjects.ts';
import { EpochStore } from './epoch-store.ts';
import { failureOf, unreachable } from './errors.ts';
import { every } from './every.ts';
import { headersOf } from './headers.ts';
import { Limiter } from './limiter.ts';
import { NatsLog, type NatsLogContext } from './nats-log.ts';
import { Publisher } from './publisher.ts';
import { Refusals } from './refusals.ts';
import { checkServerVersion } from './server-version.ts';
import { describeServers } from './servers.ts';
import { Streams } from './streams.ts';

/** How long a stopping bus waits for a last checkpoint, and for what it has written to have been read. */
const STOP_STEP_TIMEOUT_MS = 1000;

interface Started {
  readonly connection: Connection;
  readonly publisher: Publisher;
  readonly logs: ReadonlyMap<string, NatsLog>;
  readonly refusals: Refusals;
  readonly checkpoints: NodeJS.Timeout;
  /** Ends them. */
  readonly subjectChecks: () => void;
}

/** The bus of nodes that share a NATS server or cluster: durable namespaces are streams, ephemeral ones plain subjects. */
export class NatsBus implements Bus {
  readonly kind = 'nats';
  readonly counters: BusCounters = { followerRestarts: 0, publishRetries: 0 };
  readonly #config: Config;
  readonly #nowMs: () => number;
  readonly #onNotice: (notice: BusNotice) => void;
  readonly #connectedListeners = new Set<(connected: boolean) => void>();
  readonly #faults: SubjectFaults;
  readonly #ephemeral: EphemeralSubjects;
  #started: Started | undefined;

  constructor(config: Config, nowMs: () => number, onNotice: (notice: BusNotice) => void) {
    this.#config = config;
    this.#nowMs = nowMs;
    this.#onNotice = onNotice;
    this.#faults = new SubjectFaults((level, message) => this.#notice(level, message), nowMs);
    this.#ephemeral = new EphemeralSubjects(config, this.#faults);
  }

  faults(): Iterable<FaultCount> {
    return this.#faults.counts();
  }

  get connected(): boolean {
    return this.#started?.connection.connected ?? false;
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    this.#connectedListeners.add(listener);
    return () => this.#connectedListeners.delete(listener);
  }

  async start(): Promise<void> {
    const { nats, nodeId } = this.#config;
    const servers = describeServers(nats.url);
    const refusals = new Refusals((reason) => this.#notice('warn', `NATS at ${servers} does not take this node: ${reason}`));
    const onRefused = (reason: string) => refusals.refused(reason);
    const options = connectionOptions(nats, nodeId === '' ? 'stentor' : `stentor ${nodeId}`, onRefused);
    const connection = new Connection(await connectFirst(options, servers, nats.connectTimeoutMs), options, {
      onRefused,
      onDenied: () => undefined,
    });
    try {
      const { version = '' } = connection.nc.info ?? {};
      checkServerVersion(version);
      const logs = await this.#openLogs(connection);
      this.#started = {
        connection,
        publisher: new Publisher(connection, nats, this.counters),
        logs,
        refusals,
        checkpoints: setInterval(() => void checkpointAll(logs), nats.checkpointIntervalMs),
        subjectChecks: every(nats.subjectCheckIntervalMs, () => checkSubjects(logs)),
      };
      this.#ephemeral.watchDepths(connection.nc, (level, message) => this.#notice(level, message));
      this.#notice('info', `connected to NATS ${version} at ${servers}`);
    } catch (error) {
      await connection.close();
      throw error;
    }
    connection.onChange((connected) => {
      refusals.changed(connected);
      this.#changed(connected, servers);
    });
    this.#changed(true, servers);
  }

  async stop(): Promise<void> {
    const started = this.#started;
    if (started === undefined) return;
    this.#started = undefined;
    started.publisher.stop();
    clearInterval(started.checkpoints);
    started.refusals.stop();
    started.subjectChecks();
    await within(STOP_STEP_TIMEOUT_MS, checkpointAll(started.logs));
    await Promise.all([...started.logs.values()].map((log) => log.stop()));
    await flush(started.connection);
    await started.connection.close();
  }

  log(namespace: string): Log {
    const log = this.#running().logs.get(namespace);
    if (log === undefined) throw new BusError('unknown_namespace', `${namespace} is no durable namespace`);
    return log;
  }

  listen(topic: Topic, onPublication: (publication: Publication) => void): Listener {
    const { connection } = this.#running();
    const { keyed } = this.#namespace(topic);
    const reader = this.#ephemeral.reader(topic);
    const subscription = connection.nc.subscribe(topicFilter(topic, keyed), {
      callback: (error, message) => {
        if (error !== null) return this.#notice('warn', `listening to ${topic}: ${error.message}`);
        const publication = reader?.fromCore(message, this.#nowMs());
        if (publication !== undefined) deliver(onPublication, publication);
      },
    });
    // The server has taken the subscription once it answers what was sent behind it.
    return { live: flush(connection), stop: () => subscription.unsubscribe() };
  }

  async publish(request: PublishRequest): Promise<PublishAck> {
    const { connection, publisher, logs } = this.#running();
    const namespace = this.#namespace(request.topic);
    checkAddress(request, namespace);
    const log = logs.get(namespaceOf(request.topic));
    if (log !== undefined) {
      const { seq, duplicate } = await publisher.publish(request, log.stream, namespace);
      return { epoch: log.epoch, offset: seq, duplicate };
    }
    // Not left to the client, which would keep it until it is connected again: an ephemeral publication is now or never.
    if (!connection.connected) throw new BusError('bus_unreachable', 'NATS is not connected');
    const headers = headersOf(request, namespace);
    try {
      connection.nc.publish(subjectOf(request.topic, request.key), request.payload, headers === undefined ? {} : { headers });
    } catch (cause) {
      throw new BusError('publish_refused', `${request.topic}: ${(cause as Error).message}`, { cause });
    }
    return { epoch: '', offset: 0, duplicate: false };
  }

  announce(data: Uint8Array): void {
    const { connection } = this.#started ?? {};
    // What is old when it arrives is worth nothing: it is not left to the client to keep.
    if (connection?.connected) connection.nc.publish(NODES_SUBJECT, data);
  }

  onAnnouncement(listener: (data: Uint8Array) => void): () => void {
    const subscription = this.#running().connection.nc.subscribe(NODES_SUBJECT, {
      callback: (error, message) => {
        if (error !== null) this.#notice('warn', `listening to ${NODES_SUBJECT}, to know of other nodes: ${error.message}`);
        else deliver(listener, message.data);
      },
    });
    return () => subscription.unsubscribe();
  }

  async call(method: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { connection } = this.#running();
    // The same grammar as a topic's, for the same reason: it is made into a subject.
    if (!isTopic(method)) throw new BusError('no_responders', 'nobody serves a method with such a name');
    try {
      const answer = await connection.request(() => connection.nc.request(rpcSubjectOf(method), data, { timeout: timeoutMs }));
      return answer.data;
    } catch (cause) {
      const failure = failureOf(cause);
      if (failure === 'no_responders') throw new BusError('no_responders', `nobody serves ${method}`, { cause });
      if (failure === 'timeout') throw new BusError('call_timeout', `${method} did not answer within ${timeoutMs} ms`, { cause });
      throw unreachable(`calling ${method}`, cause);
    }
  }

  async #openLogs(connection: Connection): Promise<Map<string, NatsLog>> {
    const { nats, namespaces } = this.#config;
    const logs = new Map<string, NatsLog>();
    const durable = Object.entries(namespaces).filter(([, { durable }]) => durable);
    if (durable.length === 0) return logs;
    const streams = await Streams.open(connection, nats);
    for (const [name, options] of durable) await streams.ensure(name, options);
    const context: NatsLogContext = {
      connection,
      streams,
      epochs: await EpochStore.open(connection, nats),
      reads: new Limiter(nats.readsInFlightMax, nats.readsWaitingMax),
      counters: this.counters,
      faults: this.#faults,
      nowMs: this.#nowMs,
      onNotice: (level, message) => this.#notice(level, message),
    };
    for (const [name, options] of durable) logs.set(name, new NatsLog(name, options, nats, context));
    // Together, since each may have to wait for whoever knows its log.
    await Promise.all([...logs.values()].map((log) => log.state()));
    return logs;
  }

  #namespace(topic: Topic): NamespaceOptions {
    const name = namespaceOf(topic);
    const options = namespaceOptions(this.#config, name);
    if (options === undefined) throw new BusError('unknown_namespace', `${name} is no configured namespace`);
    return options;
  }

  #running(): Started {
    if (this.#started === undefined) throw new BusError('bus_closed', 'the bus is not running');
    return this.#started;
  }

  #changed(connected: boolean, servers: string): void {
    const level = connected || this.#started === undefined ? 'info' : 'warn';
    this.#notice(level, connected ? `NATS at ${servers} is there` : `NATS at ${servers} is gone`);
    for (const listener of [...this.#connectedListeners]) listener(connected);
  }

  #notice(level: BusNotice['level'], message: string): void {
    this.#onNotice({ level, message });
  }
}

/** A checkpoint that cannot be written now is written the next time. */
async function checkpointAll(logs: ReadonlyMap<string, NatsLog>): Promise<void> {
  await Promise.allSettled([...logs.values()].map((log) => log.checkpoint()));
}

/** One after the other, so that a look delays no more than one stream at a time. What cannot be looked at now is the next time. */
async function checkSubjects(logs: ReadonlyMap<string, NatsLog>): Promise<void> {
  for (const log of logs.values()) await log.checkSubjects().catch(() => undefined);
}

async function flush(connection: Connection): Promise<void> {
  if (connection.connected) await within(STOP_STEP_TIMEOUT_MS, connection.nc.flush());
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]).catch(() => undefined);
  clearTimeout(timer);
}
