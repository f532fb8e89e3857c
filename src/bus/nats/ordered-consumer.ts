import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import { type Msg, nanos, nuid, type Subscription } from '@nats-io/transport-node';
import type { Connection } from './connection.ts';
import { type Delivery, parseDelivery } from './delivery.ts';

/** Interval of heartbeats while nothing is delivered. After {@link SILENT_BEATS_MAX} intervals without anything, the consumer counts as lost. */
const HEARTBEAT_MS = 1000;
/** The same of a filtered consumer: its heartbeats also say how far it is. The server permits no shorter interval. */
const FILTERED_HEARTBEAT_MS = 100;
const SILENT_BEATS_MAX = 3;
/** The server deletes a consumer without a subscriber after this time. */
const INACTIVE_MS = 30_000;

/** A stream, and the prefix of its JetStream API. */
export interface StreamPlace {
  readonly stream: string;
  readonly api: string;
}

/** What an idle consumer says. */
export interface Heartbeat {
  /** If this equals the local consumer sequence, everything sent has arrived, according to the server. */
  readonly lastConsumerSeq: number;
  /** The consumer has passed this stream sequence. */
  readonly lastStreamSeq: number;
  /** It has more, and waits until what it sent has been received. */
  readonly stalled: boolean;
}

export interface OrderedConsumerEvents {
  onMessage(message: Msg, delivery: Delivery): void;
  onHeartbeat(heartbeat: Heartbeat): void;
  /** It will deliver no more; the owner creates another one. Called at most once. */
  onEnded(reason: string): void;
}

/**
 * An ordered push consumer: ephemeral, in memory, without acks, with flow control. It never repairs itself. When anything happens to it or to the connection,
 * it ends, and its owner starts another one from its position.
 *
 * This replaces the two consumers of the client. Measured (300K messages of 100 bytes, this machine): it takes 3.6 µs of CPU a message against 5.5 (pull) and
 * 5.4 (push). And after a restart of the server the client's push consumer is silent for 60 s.
 */
export class OrderedConsumer {
  readonly #connection: Connection;
  readonly #stream: string;
  readonly #api: string;
  readonly #events: OrderedConsumerEvents;
  readonly #name = `stentor_${nuid.next()}`;
  readonly #inbox: string;
  #subscription: Subscription | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #silentBeats = 0;
  #ended = false;

  constructor(connection: Connection, { stream, api }: StreamPlace, events: OrderedConsumerEvents) {
    this.#connection = connection;
    this.#inbox = connection.newInbox();
    this.#stream = stream;
    this.#api = api;
    this.#events = events;
  }

  /**
   * Messages may arrive before it resolves.
   * @param filters the subjects to deliver; undefined: all
   * @returns false if the server has ignored the filters, as servers before 2.10 do
   * @throws what the client throws; then it has ended without calling onEnded
   */
  async start(jsm: JetStreamManager, startSeq: number, filters?: readonly string[]): Promise<boolean> {
    const { config } = await this.#start(jsm, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: startSeq,
      ...(filters !== undefined && { filter_subjects: [...filters], idle_heartbeat: nanos(FILTERED_HEARTBEAT_MS) }),
    });
    return filters === undefined || config.filter_subjects?.length === filters.length;
  }

  /**
   * Begins with the latest message of each subject that the filter matches, instead of at a sequence.
   * @returns whether there is any
   * @throws as {@link OrderedConsumer.start}
   */
  async startWithLatest(jsm: JetStreamManager, filter: string): Promise<boolean> {
    const { num_pending, delivered } = await this.#start(jsm, { deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: filter });
    return num_pending > 0 || delivered.consumer_seq > 0;
  }

  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#watchdog);
    this.#subscription?.unsubscribe();
    // Nobody waits for the answer: a consumer that is left behind is deleted after INACTIVE_MS.
    this.#connection.tell(`${this.#api}.CONSUMER.DELETE.${this.#stream}.${this.#name}`);
  }

  async #start(jsm: JetStreamManager, what: Partial<ConsumerConfig>): Promise<ConsumerInfo> {
    this.#subscription = this.#connection.nc.subscribe(this.#inbox, { callback: (error, message) => this.#receive(error, message) });
    let info: ConsumerInfo;
    try {
      info = await jsm.consumers.add(this.#stream, {
        name: this.#name,
        deliver_subject: this.#inbox,
        ack_policy: AckPolicy.None,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        flow_control: true,
        idle_heartbeat: nanos(HEARTBEAT_MS),
        inactive_threshold: nanos(INACTIVE_MS),
        ...what,
      });
    } catch (error) {
      this.stop();
      throw error;
    }
    if (!this.#ended) this.#watchdog = setInterval(() => this.#watch(), HEARTBEAT_MS);
    return info;
  }

  #receive(error: Error | null, message: Msg): void {
    if (this.#ended) return;
    if (error !== null) return this.#end(error.message);
    this.#silentBeats = 0;
    const { reply = '' } = message;
    const delivery = parseDelivery(reply);
    if (delivery === undefined) this.#receiveStatus(message, reply);
    else this.#events.onMessage(message, delivery);
  }

  #receiveStatus(message: Msg, reply: string): void {
    const status = message.headers?.code ?? 0;
    if (status !== 100) return this.#end(`${status} ${message.headers?.description ?? ''}`.trim());
    // A flow control request is answered when everything before it has been passed on, which is now.
    if (reply !== '') return this.#connection.nc.publish(reply);
    const stalled = message.headers?.get('Nats-Consumer-Stalled') ?? '';
    if (stalled !== '') this.#connection.nc.publish(stalled);
    const numberIn = (name: string) => Number(message.headers?.get(name) ?? 0);
    this.#events.onHeartbeat({
      lastConsumerSeq: numberIn('Nats-Last-Consumer'),
      lastStreamSeq: numberIn('Nats-Last-Stream'),
      stalled: stalled !== '',
    });
  }

  #watch(): void {
    if (++this.#silentBeats > SILENT_BEATS_MAX) this.#end(`silent for ${SILENT_BEATS_MAX * HEARTBEAT_MS} ms`);
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.stop();
    this.#events.onEnded(reason);
  }
}
