import { randomBytes } from 'node:crypto';
import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import { type FeedName, isPattern, oneKeyOf } from '../../protocol/feed-name.ts';
import { hasDocuments } from '../../protocol/feed-state.ts';
import { matchesPattern, namespaceOf } from '../../protocol/topic.ts';
import { inTime } from '../../telemetry/in-time.ts';
import type { Bus, BusCounters, ChannelReceiver, Listener, TopicReceiver } from '../bus.ts';
import { BusError } from '../bus-error.ts';
import type { Channel, RequestAddress, UserChannel } from '../channel.ts';
import { checkAddress } from '../check-address.ts';
import { deliver } from '../deliver.ts';
import type { Log } from '../log.ts';
import { payloadBytes } from '../payload-bytes.ts';
import type { Publication, PublishAck, PublishRequest } from '../publication.ts';
import type { CallAnswer, CallQuestion, IncomingRequest, OutgoingRequest } from '../requests.ts';
import { Channels } from './channels.ts';
import type { MemoryFollower } from './memory-follower.ts';
import { type ImagePlace, MemoryImages } from './memory-images.ts';
import { MemoryLog } from './memory-log.ts';
import { MemoryRevocations } from './memory-revocations.ts';
import { MemoryStore } from './memory-store.ts';

interface PendingPublish {
  readonly request: PublishRequest;
  readonly options: NamespaceOptions;
  readonly resolve: (ack: PublishAck) => void;
  readonly reject: (error: Error) => void;
}

/** Answers with the bytes of a payload in the question's format, or with a whole answer. */
export type CallHandler = (payload: Uint8Array, question: CallQuestion) => Promise<Uint8Array | CallAnswer> | Uint8Array | CallAnswer;

/**
 * The bus of a single node without further software. It gives the same guarantees as NATS while the process runs. A new process is a new epoch, because nothing
 * of the old log is left.
 */
export class MemoryBus implements Bus {
  readonly kind = 'memory';
  readonly counters: BusCounters = { followerRestarts: 0, publishRetries: 0, originsForged: 0 };
  readonly revocations: MemoryRevocations;
  readonly #config: Config;
  readonly #nowMs: () => number;
  readonly #store: MemoryStore;
  readonly #images = new Map<string, MemoryImages>();
  readonly #epoch = randomBytes(12).toString('base64url');
  readonly #followers = new Set<MemoryFollower>();
  readonly #listeners = new Map<FeedName, Set<(publication: Publication) => void>>();
  /** Those of {@link listen} that are patterns. */
  readonly #patterns = new Set<FeedName>();
  readonly #handlers = new Map<string, CallHandler>();
  readonly #channels = new Channels();
  readonly #requestListeners = new Set<{ readonly pattern: RequestAddress; readonly receive: (request: IncomingRequest) => void }>();
  readonly #connectedListeners = new Set<(connected: boolean) => void>();
  // The publisher bounds it, as the contract says. It is emptied within the same loop turn.
  #pending: PendingPublish[] = [];
  #deliveryScheduled = false;
  #running = false;

  constructor(config: Config, nowMs: () => number = Date.now) {
    this.#config = config;
    this.#nowMs = nowMs;
    this.revocations = new MemoryRevocations(config.auth.tokenLifeMaxMs, nowMs);
    this.#store = new MemoryStore(config);
    for (const [name, namespace] of Object.entries(config.namespaces)) {
      if (!namespace.durable || !hasDocuments(namespace)) continue;
      this.#images.set(name, new MemoryImages(this.#imagePlace(name)));
    }
  }

  /** Always empty: there are no subjects, and {@link publish} refuses what is invalid. */
  faults(): [] {
    return [];
  }

  get connected(): boolean {
    return this.#running;
  }

  async start(): Promise<void> {
    this.#setRunning(true);
  }

  async stop(): Promise<void> {
    for (const { reject } of this.#pending.splice(0)) reject(busClosed());
    for (const follower of [...this.#followers]) await follower.stop();
    this.#listeners.clear();
    this.#setRunning(false);
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    this.#connectedListeners.add(listener);
    return () => this.#connectedListeners.delete(listener);
  }

  log(namespace: string): Log {
    const store = () => this.#store.namespace(namespace, this.#nowMs());
    store();
    return new MemoryLog(namespace, this.#epoch, store, this.#followers, () => this.#scheduleDelivery(), this.#images.get(namespace));
  }

  listen(name: FeedName, receiver: TopicReceiver): Listener {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A separate function, so that the same receiver can listen twice and be stopped once.
    const receive = (publication: Publication) => deliver((received) => receiver.onPublication(received), publication);
    listeners.add(receive);
    if (isPattern(name)) this.#patterns.add(name);
    return {
      live: Promise.resolve(true),
      stop: () => {
        listeners.delete(receive);
        if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#forget(name);
      },
    };
  }

  #forget(name: FeedName): void {
    this.#listeners.delete(name);
    this.#patterns.delete(name);
  }

  async publish(request: PublishRequest): Promise<PublishAck> {
    const namespace = namespaceOf(request.topic);
    const options = namespaceOptions(this.#config, namespace);
    if (!this.#running) throw busClosed();
    if (options === undefined) throw new BusError('unknown_namespace', `${namespace} is not a configured namespace`);
    checkAddress(request, options);
    const payload = payloadBytes(request.payload);
    return new Promise((resolve, reject) => {
      this.#pending.push({ request: { ...request, payload }, options, resolve, reject });
      this.#scheduleDelivery();
    });
  }

  announce(channel: Channel, data: Uint8Array): void {
    const copy = data.slice();
    queueMicrotask(() => {
      if (this.#running) this.#channels.announce(channel, copy);
    });
  }

  onAnnouncement(channel: Channel, listener: (data: Uint8Array) => void): () => void {
    const started = this.#channels.listen(channel, { hear: listener });
    return () => started.stop();
  }

  onHeartbeat(): () => void {
    return () => undefined;
  }

  async confirm(): Promise<boolean> {
    return this.#running;
  }

  listenToUser(channel: UserChannel, receiver: ChannelReceiver): Pick<Listener, 'stop'> {
    return this.#channels.listen(channel, receiver);
  }

  /** Answers calls of `method` from now on, as a service on NATS subject `rpc.<method>` would. Returns a function that stops it. */
  serve(method: string, handler: CallHandler): () => void {
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  async call(question: CallQuestion): Promise<CallAnswer> {
    const { method, subject, payload, timeoutMs } = question;
    if (!this.#running) throw busClosed();
    // It has no subjects but those of methods.
    const handler = subject === undefined ? this.#handlers.get(method) : undefined;
    if (handler === undefined) throw new BusError('no_responders', `no service answers ${method}`);
    const asked = (async () => handler(payload, question))();
    const answer = await inTime(timeoutMs, asked, () => tooLate(method, timeoutMs));
    return 'kind' in answer ? answer : { kind: 'result', payload: payloadBytes(answer), payloadKind: undefined };
  }

  async send(address: RequestAddress, payload: Uint8Array, payloadKind: OutgoingRequest['payloadKind']): Promise<void> {
    if (!this.#running) throw busClosed();
    this.#receive({ address, payload, payloadKind, timeoutMs: undefined, volatile: false, answer: undefined });
  }

  async request(address: RequestAddress, { payload, payloadKind, timeoutMs, volatile = false }: OutgoingRequest): Promise<CallAnswer> {
    if (!this.#running) throw busClosed();
    const asked = new Promise<CallAnswer>((answer, reject) => {
      if (!this.#receive({ address, payload, payloadKind, timeoutMs, volatile, answer }))
        reject(new BusError('no_responders', `no service answers ${address}`));
    });
    return inTime(timeoutMs, asked, () => tooLate(address, timeoutMs));
  }

  onRequest(pattern: RequestAddress, listener: (request: IncomingRequest) => void): () => void {
    const entry = { pattern, receive: (request: IncomingRequest) => deliver(listener, request) };
    this.#requestListeners.add(entry);
    return () => this.#requestListeners.delete(entry);
  }

  /** @returns false if nobody listens */
  #receive(request: IncomingRequest): boolean {
    const matching = [...this.#requestListeners].filter(({ pattern }) => matchesPattern(pattern, request.address));
    queueMicrotask(() => {
      for (const { receive } of matching) if (this.#running) receive(request);
    });
    return matching.length > 0;
  }

  /** Never called inside publish or follow, so that a receiver that publishes does not get its own publication before its call returns. */
  #scheduleDelivery(): void {
    if (this.#deliveryScheduled) return;
    this.#deliveryScheduled = true;
    queueMicrotask(() => {
      this.#deliverAll();
      this.#deliveryScheduled = false;
      if (this.#pending.length > 0) this.#scheduleDelivery();
    });
  }

  /** Stores, delivers and acknowledges one publication at a time, so a count limit never removes what a follower has not received. */
  #deliverAll(): void {
    this.#catchUp();
    const batch = this.#pending;
    this.#pending = [];
    for (const { request, options, resolve, reject } of batch) {
      if (!this.#running) reject(busClosed());
      else resolve(options.durable ? this.#publishDurable(request) : this.#publishEphemeral(request));
    }
  }

  #publishDurable(request: PublishRequest): PublishAck {
    const namespace = namespaceOf(request.topic);
    const { offset, publication } = this.#store.append(namespace, this.#draft(request), request.messageId);
    if (publication !== undefined) this.#catchUp();
    return { epoch: this.#epoch, offset, duplicate: publication === undefined };
  }

  #publishEphemeral(request: PublishRequest): PublishAck {
    const publication = { ...this.#draft(request), offset: 0 };
    const { topic, key } = publication;
    const patterns = [...this.#patterns].filter((pattern) => matchesPattern(pattern, topic));
    const names = [topic, ...(key === null ? [] : [oneKeyOf(topic, key)]), ...patterns];
    for (const receive of names.flatMap((name) => [...(this.#listeners.get(name) ?? [])])) receive(publication);
    return { epoch: '', offset: 0, duplicate: false };
  }

  #imagePlace(namespace: string): ImagePlace {
    return {
      store: () => (this.#running ? this.#store.namespace(namespace, this.#nowMs()) : undefined),
      append: (draft) => {
        this.#scheduleDelivery();
        return this.#store.append(namespace, draft, undefined).offset;
      },
      nowMs: this.#nowMs,
    };
  }

  #draft({
    topic,
    key,
    payload,
    payloadKind,
    origin,
    image,
    noEcho,
    volatile,
    eventAtMs,
    tags,
  }: PublishRequest): Omit<Publication, 'offset'> {
    const marks = { ...(eventAtMs !== undefined && { eventAtMs }), ...(tags !== undefined && { tags }) };
    const how = { ...(image && { image }), ...(noEcho && { noEcho }), ...(volatile && { volatile }), ...marks };
    return { topic, key, payload, payloadKind, origin, publishedAtMs: this.#nowMs(), ...how };
  }

  #catchUp(): void {
    for (const follower of [...this.#followers]) follower.catchUp(this.#store.namespace(follower.namespace, this.#nowMs()));
  }

  #setRunning(running: boolean): void {
    if (this.#running === running) return;
    this.#running = running;
    for (const listener of [...this.#connectedListeners]) listener(running);
  }
}

function tooLate(name: string, timeoutMs: number): BusError {
  return new BusError('call_timeout', `${name} did not answer within ${timeoutMs} ms`);
}

function busClosed(): BusError {
  return new BusError('bus_closed', 'the bus is stopped');
}
