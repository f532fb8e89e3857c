import type { RequestOptions } from '@nats-io/transport-node';
import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import type { FeedName } from '../../protocol/feed-name.ts';
import { isTopic, matchesPattern, namespaceOf, type Topic } from '../../protocol/topic.ts';
import { ifInTime } from '../../telemetry/in-time.ts';
import type { Bus, BusCounters, BusNotice, ChannelReceiver, FaultCount, Listener, TopicReceiver } from '../bus.ts';
import { BusError } from '../bus-error.ts';
import type { Channel, RequestAddress, UserChannel } from '../channel.ts';
import { checkAddress } from '../check-address.ts';
import type { Log } from '../log.ts';
import { payloadBytes } from '../payload-bytes.ts';
import type { PublishAck, PublishRequest } from '../publication.ts';
import type { CallAnswer, CallQuestion, IncomingRequest, OutgoingRequest } from '../requests.ts';
import { SubjectFaults } from '../subject-faults.ts';
import {
  channelSubjectOf,
  filterOf,
  HEARTBEAT_PREFIX,
  heartbeatSubjectsOf,
  requestSubjectOf,
  rpcSubjectOf,
  subjectOf,
  USER_CHANNELS,
  USER_TOPICS,
} from '../subjects.ts';
import { ChannelEvents } from './channel-events.ts';
import type { Connection } from './connection.ts';
import { EphemeralPublisher } from './ephemeral-publisher.ts';
import { EphemeralSubjects } from './ephemeral-subjects.ts';
import { failureOf, unreachable } from './errors.ts';
import { flush } from './flush.ts';
import { callHeadersOf, headersOf, readAnswerHeaders, requestHeadersOf } from './headers.ts';
import { InterestGroup } from './interest-group.ts';
import { LastingSubscription, type SubscriptionEvents } from './lasting-subscription.ts';
import { NatsLogs } from './nats-logs.ts';
import { openConnection } from './open-connection.ts';
import { OriginSignatures } from './origin-signatures.ts';
import { Publisher } from './publisher.ts';
import { RequestEvents } from './request-events.ts';
import { RevocationBucket } from './revocation-bucket.ts';
import { natsSettings } from './settings.ts';
import { TopicEvents } from './topic-events.ts';
import type { TroubleLog } from './trouble-log.ts';

/** How long a stopping bus waits for a last checkpoint, and for its writes to be received. */
const STOP_STEP_TIMEOUT_MS = 1000;

/** A node answers within the time that it is told; this is added for the way. */
const REQUEST_MARGIN_MS = 500;

interface Started {
  readonly connection: Connection;
  readonly publisher: Publisher;
  readonly ephemeral: EphemeralPublisher;
  readonly logs: NatsLogs;
  readonly troubles: TroubleLog;
}

/** The bus of nodes that share a NATS server or cluster: durable namespaces are streams, ephemeral ones plain subjects. */
export class NatsBus implements Bus {
  readonly kind = 'nats';
  readonly counters: BusCounters = { followerRestarts: 0, publishRetries: 0, originsForged: 0 };
  readonly revocations: RevocationBucket;
  readonly #config: Config;
  readonly #nowMs: () => number;
  readonly #onNotice: (notice: BusNotice) => void;
  readonly #connectedListeners = new Set<(connected: boolean) => void>();
  readonly #faults: SubjectFaults;
  readonly #signatures: OriginSignatures;
  readonly #ephemeral: EphemeralSubjects;
  readonly #userTopics: InterestGroup;
  readonly #userChannels: InterestGroup;
  #started: Started | undefined;

  constructor(config: Config, nowMs: () => number, onNotice: (notice: BusNotice) => void) {
    this.#config = config;
    this.#nowMs = nowMs;
    this.#onNotice = onNotice;
    this.#faults = new SubjectFaults((level, message) => this.#notice(level, message), nowMs);
    this.revocations = new RevocationBucket(() => this.#running().connection, natsSettings(config), config.auth.tokenLifeMaxMs);
    this.#signatures = new OriginSignatures(config.nats.originSecrets);
    this.#ephemeral = new EphemeralSubjects(config, {
      faults: this.#faults,
      signatures: this.#signatures,
      counters: this.counters,
      subjectsMax: config.tuning.nats.subjectsRememberedMax,
    });
    const ownMax = config.tuning.hub.userInterestMax;
    const subscribe = (subject: string, events: SubscriptionEvents) => this.#subscribe(subject, events);
    this.#userTopics = new InterestGroup({ wildcard: USER_TOPICS, ownMax, subscribe });
    this.#userChannels = new InterestGroup({ wildcard: USER_CHANNELS, ownMax, subscribe });
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
    const { nodeId } = this.#config;
    const nats = natsSettings(this.#config);
    const name = nodeId === '' ? 'stentor' : `stentor ${nodeId}`;
    const { connection, troubles, servers, version } = await openConnection(nats, name, (level, message) => this.#notice(level, message));
    try {
      const logs = await NatsLogs.open(this.#config, {
        connection,
        counters: this.counters,
        faults: this.#faults,
        nowMs: this.#nowMs,
        onNotice: (level, message) => this.#notice(level, message),
      });
      this.#started = {
        connection,
        ephemeral: new EphemeralPublisher(connection),
        publisher: new Publisher(connection, nats, this.counters),
        logs,
        troubles,
      };
      this.#ephemeral.watchDepths((filter, onMessage) => this.#subscribe(filter, { onMessage }));
      // Wrong subjects are counted from the moment the node has started.
      await flush(connection);
      this.#notice('info', `connected to NATS ${version} at ${servers}`);
    } catch (error) {
      await connection.close();
      throw error;
    }
    connection.onChange((connected) => this.#changed(connected, servers));
    for (const listener of [...this.#connectedListeners]) listener(true);
  }

  async stop(): Promise<void> {
    const started = this.#started;
    if (started === undefined) return;
    this.#started = undefined;
    started.publisher.stop();
    started.logs.rest();
    started.troubles.stop();
    await ifInTime(STOP_STEP_TIMEOUT_MS, started.logs.checkpoint());
    await started.logs.stop();
    await flush(started.connection);
    await started.connection.close();
  }

  log(namespace: string): Log {
    const log = this.#running().logs.get(namespace);
    if (log === undefined) throw new BusError('unknown_namespace', `${namespace} is not a durable namespace`);
    return log;
  }

  listen(name: FeedName, receiver: TopicReceiver): Listener {
    const subject = filterOf(name, this.#namespace(name));
    const events = new TopicEvents(receiver, this.#ephemeral.reader(name), this.#nowMs);
    return matchesPattern(USER_TOPICS, subject) ? this.#userTopics.add(subject, events) : this.#subscribe(subject, events);
  }

  async publish(given: PublishRequest): Promise<PublishAck> {
    const { ephemeral, publisher, logs } = this.#running();
    const namespace = this.#namespace(given.topic);
    checkAddress(given, namespace);
    const request = { ...given, payload: payloadBytes(given.payload) };
    const log = logs.get(namespaceOf(request.topic));
    if (log !== undefined) {
      const { seq, duplicate } = await publisher.publish(request, log.stream, namespace);
      return { epoch: log.epoch, offset: seq, duplicate };
    }
    await ephemeral.publish(subjectOf(request.topic, request.key), request.payload, headersOf(request, namespace, this.#signatures));
    return { epoch: '', offset: 0, duplicate: false };
  }

  announce(channel: Channel, data: Uint8Array): void {
    const { connection } = this.#started ?? {};
    // A late announcement is useless, so it is not left to the client to keep.
    if (connection?.connected !== true) return;
    try {
      connection.nc.publish(channelSubjectOf(channel), data);
    } catch (error) {
      this.#notice(
        'warn',
        `${data.length} bytes could not be announced to other nodes on ${channelSubjectOf(channel)}: ${(error as Error).message}`,
      );
    }
  }

  onAnnouncement(channel: Channel, listener: (data: Uint8Array) => void): () => void {
    const subscription = this.#subscribe(channelSubjectOf(channel), { onMessage: ({ data }) => listener(data) });
    return () => subscription.stop();
  }

  onHeartbeat(namespace: string, listener: (topic: Topic) => void): () => void {
    const onMessage = ({ subject }: { readonly subject: string }) => {
      const topic = subject.slice(HEARTBEAT_PREFIX.length);
      if (isTopic(topic)) listener(topic);
    };
    const subscriptions = heartbeatSubjectsOf(namespace).map((subject) => this.#subscribe(subject, { onMessage }));
    return () => {
      for (const subscription of subscriptions) subscription.stop();
    };
  }

  async confirm(): Promise<boolean> {
    const { connection } = this.#started ?? {};
    if (connection?.connected !== true) return false;
    // What a lost connection leaves open is rejected.
    return connection.nc.flush().then(
      () => true,
      () => false,
    );
  }

  listenToUser(channel: UserChannel, receiver: ChannelReceiver): Pick<Listener, 'stop'> {
    return this.#userChannels.add(channelSubjectOf(channel), new ChannelEvents(receiver));
  }

  async call(question: CallQuestion): Promise<CallAnswer> {
    const { method, subject, payload, timeoutMs } = question;
    // The same grammar as for topics, because it becomes part of a subject.
    if (subject === undefined && !isTopic(method)) throw new BusError('no_responders', 'no service can have a method with this name');
    return this.#request(subject ?? rpcSubjectOf(method), method, payload, { timeout: timeoutMs, headers: callHeadersOf(question) });
  }

  async send(address: RequestAddress, payload: Uint8Array, payloadKind: OutgoingRequest['payloadKind']): Promise<void> {
    await this.#running().ephemeral.publish(requestSubjectOf(address), payload, requestHeadersOf({ payloadKind }));
  }

  async request(address: RequestAddress, request: OutgoingRequest): Promise<CallAnswer> {
    const options = { timeout: request.timeoutMs + REQUEST_MARGIN_MS, headers: requestHeadersOf(request) };
    return this.#request(requestSubjectOf(address), address, request.payload, options);
  }

  onRequest(pattern: RequestAddress, listener: (request: IncomingRequest) => void): () => void {
    const subscription = this.#subscribe(requestSubjectOf(pattern), new RequestEvents(listener));
    return () => subscription.stop();
  }

  async #request(subject: string, name: string, payload: Uint8Array, options: RequestOptions): Promise<CallAnswer> {
    const { connection } = this.#running();
    try {
      const answer = await connection.request(() => connection.nc.request(subject, payload, options));
      const { payloadKind, serviceError } = readAnswerHeaders(answer);
      return serviceError ?? { kind: 'result', payload: answer.data, payloadKind };
    } catch (cause) {
      const failure = failureOf(cause);
      if (failure === 'no_responders') throw new BusError('no_responders', `no service answers ${name}`, { cause });
      if (failure === 'timeout') throw new BusError('call_timeout', `${name} did not answer within ${options.timeout} ms`, { cause });
      throw unreachable(`calling ${name}`, cause, connection.names);
    }
  }

  #subscribe(subject: string, events: SubscriptionEvents): Listener {
    const { connection, troubles } = this.#running();
    return new LastingSubscription(connection, subject, events, troubles);
  }

  #namespace(topic: FeedName): NamespaceOptions {
    const name = namespaceOf(topic);
    const options = namespaceOptions(this.#config, name);
    if (options === undefined) throw new BusError('unknown_namespace', `${name} is not a configured namespace`);
    return options;
  }

  #running(): Started {
    if (this.#started === undefined) throw new BusError('bus_closed', 'the bus is not running');
    return this.#started;
  }

  #changed(connected: boolean, servers: string): void {
    // When the bus is stopped, the disconnect need not be logged.
    if (connected) this.#notice('info', `NATS at ${servers} is connected again`);
    else if (this.#started !== undefined) this.#notice('warn', `NATS at ${servers} is gone`);
    for (const listener of [...this.#connectedListeners]) listener(connected);
  }

  #notice(level: BusNotice['level'], message: string): void {
    this.#onNotice({ level, message });
  }
}
