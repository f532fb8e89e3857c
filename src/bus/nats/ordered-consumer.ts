import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import { type Msg, nanos, nuid, type Subscription } from '@nats-io/transport-node';
import type { Connection } from './connection.ts';
import { type Delivery, parseDelivery } from './delivery.ts';

/** Heartbeats come this often while nothing else does; after {@link SILENT_BEATS_MAX} without anything the consumer counts as gone. */
const HEARTBEAT_MS = 1000;
const SILENT_BEATS_MAX = 3;
/** The server drops a consumer that nobody has listened to for so long. */
const INACTIVE_MS = 30_000;

/** A stream, and the prefix of the JetStream API that it is reached by. */
export interface StreamPlace {
  readonly stream: string;
  readonly api: string;
}

export interface OrderedConsumerEvents {
  onMessage(message: Msg, delivery: Delivery): void;
  /** Nothing has been sent that has not come, says the server, if this is the consumer's sequence here. */
  onHeartbeat(lastConsumerSeq: number): void;
  /** It will deliver no more; the owner makes another. Called once at most. */
  onEnded(reason: string): void;
}

/**
 * One life of an ordered push consumer: ephemeral, in memory, without acks, with flow control. It never repairs itself: whatever happens to it
 * or to the connection, it ends, and its owner starts another from where it is.
 *
 * Our own rather than the client's two: measured (300K messages of 100 bytes, this machine) it takes 3.6 µs of CPU a message against 5.5
 * (pull) and 5.4 (push); and after a server's restart the client's push consumer is silent for 60 s.
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

  /** Messages may come before it resolves. @throws what the client throws; then it has ended silently */
  async start(jsm: JetStreamManager, startSeq: number): Promise<void> {
    this.#subscription = this.#connection.nc.subscribe(this.#inbox, { callback: (error, message) => this.#receive(error, message) });
    try {
      await jsm.consumers.add(this.#stream, {
        name: this.#name,
        deliver_subject: this.#inbox,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: startSeq,
        ack_policy: AckPolicy.None,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        flow_control: true,
        idle_heartbeat: nanos(HEARTBEAT_MS),
        inactive_threshold: nanos(INACTIVE_MS),
      });
    } catch (error) {
      this.stop();
      throw error;
    }
    if (!this.#ended) this.#watchdog = setInterval(() => this.#watch(), HEARTBEAT_MS);
  }

  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#watchdog);
    this.#subscription?.unsubscribe();
    // Nobody waits for the answer: what is left behind goes after INACTIVE_MS.
    this.#connection.tell(`${this.#api}.CONSUMER.DELETE.${this.#stream}.${this.#name}`);
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
    // A flow control request is answered when all before it has been handed over, which is now.
    if (reply !== '') return this.#connection.nc.publish(reply);
    const stalled = message.headers?.get('Nats-Consumer-Stalled') ?? '';
    if (stalled !== '') this.#connection.nc.publish(stalled);
    this.#events.onHeartbeat(Number(message.headers?.get('Nats-Last-Consumer') ?? 0));
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
