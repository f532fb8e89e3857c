import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy } from '@nats-io/jetstream';
import { type Msg, type NatsConnection, nanos, nuid } from '@nats-io/transport-node';
import { type Connection, DisconnectedError } from './connection.ts';
import { type Delivery, parseDelivery } from './delivery.ts';
import type { Streams } from './streams.ts';

/** Number of messages requested at once. With `pageBytesMax` it limits what the server sends without a further request. */
const PAGE_MAX = 500;
/** The statuses of a page that ends because the next message would exceed its bytes, or (newer servers) because its bytes are exactly used up. */
const PAGE_FULL = 'Message Size Exceeds MaxBytes';
const PAGE_DONE = 'Batch Completed';
const PAGE_EXPIRES_MS = 1000;
const INACTIVE_MS = 10_000;

/** An offset, a time, or the last message of each subject. */
type From = number | { readonly atMs: number } | 'last_per_subject';

export interface RangePlan {
  readonly stream: string;
  readonly filter: string;
  readonly from: From;
  /** When a delivery has reached this offset, everything requested has arrived. */
  readonly endOffset: number;
  /** Called again when nothing arrives, because what was expected may have been removed meanwhile. */
  readonly currentEndOffset: () => Promise<number>;
  /** Maximum number of publications to read. */
  readonly limit: number;
  /** @returns false: enough */
  readonly take: (message: Msg, delivery: Delivery) => boolean;
}

/** @param filter absent: all subjects */
type ConsumerPlan = Pick<RangePlan, 'stream' | 'from'> & Partial<Pick<RangePlan, 'filter'>>;

/**
 * Creates a consumer for one topic, for the duration of `use`. A consumer is used instead of direct gets, because it works the same on every server since 2.9,
 * and reads from one replica in one order.
 */
export async function withConsumer<T>(
  connection: Connection,
  { manager: jsm, api }: Streams,
  { stream, filter, from }: ConsumerPlan,
  use: (info: ConsumerInfo) => Promise<T>,
): Promise<T> {
  const name = `stentor_read_${nuid.next()}`;
  const info = await connection.request(() =>
    jsm.consumers.add(stream, {
      name,
      ...(filter !== undefined && { filter_subject: filter }),
      ...beginningAt(from),
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(INACTIVE_MS),
    }),
  );
  try {
    return await use(info);
  } finally {
    // Nobody waits for the answer: a consumer that is left behind is deleted after INACTIVE_MS.
    connection.tell(`${api}.CONSUMER.DELETE.${stream}.${name}`);
  }
}

function beginningAt(from: From): Partial<ConsumerConfig> {
  if (from === 'last_per_subject') return { deliver_policy: DeliverPolicy.LastPerSubject };
  if (typeof from === 'number') return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(from, 1) };
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(from.atMs).toISOString() };
}

export interface PagePlan {
  readonly api: string;
  /** Maximum bytes requested at once, with subjects and headers. A larger message comes alone. */
  readonly pageBytesMax: number;
}

/** @throws DisconnectedError, or an error if nothing arrived for `timeoutMs` or something was lost */
export function readRange(connection: Connection, consumer: string, plan: RangePlan & PagePlan, timeoutMs: number): Promise<void> {
  if (!connection.connected) return Promise.reject(new DisconnectedError(false));
  return new Promise((resolve, reject) => {
    new RangeRead(connection, consumer, plan, timeoutMs, (error) => (error === undefined ? resolve() : reject(error))).start();
  });
}

class RangeRead {
  readonly #nc: NatsConnection;
  readonly #plan: RangePlan & PagePlan;
  readonly #onDone: (error?: Error) => void;
  readonly #inbox: string;
  readonly #nextSubject: string;
  readonly #subscription;
  readonly #stopWatching: () => void;
  readonly #timer: NodeJS.Timeout;
  #pages = 0;
  #pageAsked = 0;
  #pageLeft = 0;
  #taken = 0;
  #consumerSeq = 0;
  #stalled = false;
  #done = false;

  constructor(connection: Connection, consumer: string, plan: RangePlan & PagePlan, timeoutMs: number, onDone: (error?: Error) => void) {
    this.#nc = connection.nc;
    this.#nextSubject = `${plan.api}.CONSUMER.MSG.NEXT.${plan.stream}.${consumer}`;
    this.#inbox = connection.newInbox();
    this.#plan = plan;
    this.#onDone = onDone;
    this.#subscription = this.#nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => (error === null ? this.#receive(message) : this.#finish(error)),
    });
    const stops = [
      connection.onChange(() => this.#finish(new DisconnectedError(true))),
      // A denied request gets no answer.
      connection.onDenied((denied) => denied.subject === this.#nextSubject && this.#finish(denied)),
    ];
    this.#stopWatching = () => {
      for (const stop of stops) stop();
    };
    this.#timer = setTimeout(() => this.#stall(), timeoutMs);
  }

  /** Of the present page. */
  get #replySubject(): string {
    return `${this.#inbox}.${this.#pages}`;
  }

  start(): void {
    this.#askForPage();
  }

  #receive(message: Msg): void {
    if (this.#done) return;
    const delivery = parseDelivery(message.reply ?? '');
    if (delivery === undefined) return this.#receiveStatus(message);
    if (delivery.consumerSeq !== ++this.#consumerSeq) return this.#finish(new Error('a message was lost on the way'));
    this.#stalled = false;
    this.#timer.refresh();
    this.#pageLeft--;
    const goOn = this.#plan.take(message, delivery);
    if (!goOn || ++this.#taken >= this.#plan.limit || delivery.streamSeq >= this.#plan.endOffset) return this.#finish();
    if (this.#pageLeft === 0) this.#askForPage();
  }

  /** 408: the time of this page is over. Any other status is the end of this consumer. */
  #receiveStatus(message: Msg): void {
    // Of an earlier page, which is complete.
    if (message.subject !== this.#replySubject) return;
    const { code: status = 0, description = '' } = message.headers ?? {};
    // If not even the first message fits, it is larger than a page.
    if (status === 409 && description === PAGE_FULL) return this.#askForPage(this.#pageLeft === this.#pageAsked);
    if (status === 409 && description === PAGE_DONE) return this.#askForPage();
    if (status !== 408) return this.#finish(new Error(`${status} ${description}`.trim()));
    this.#plan.currentEndOffset().then(
      (endOffset) => (endOffset < this.#plan.endOffset ? this.#finish() : this.#askForPage()),
      (error) => this.#finish(error),
    );
  }

  /** @param oneOfAnySize the next message, however large */
  #askForPage(oneOfAnySize = false): void {
    if (this.#done) return;
    this.#pageAsked = oneOfAnySize ? 1 : Math.min(PAGE_MAX, this.#plan.limit - this.#taken);
    this.#pageLeft = this.#pageAsked;
    const bytes = oneOfAnySize ? {} : { max_bytes: this.#plan.pageBytesMax };
    const page = { batch: this.#pageLeft, expires: nanos(PAGE_EXPIRES_MS), ...bytes };
    this.#pages++;
    this.#nc.publish(this.#nextSubject, JSON.stringify(page), { reply: this.#replySubject });
  }

  /** A page whose bytes are exactly used up ends without a word, so once it is only asked for the next one. */
  #stall(): void {
    if (this.#stalled || this.#pageLeft === this.#pageAsked) return this.#finish(new Error('timeout'));
    this.#stalled = true;
    this.#timer.refresh();
    this.#askForPage();
  }

  #finish(error?: Error): void {
    if (this.#done) return;
    this.#done = true;
    clearTimeout(this.#timer);
    this.#stopWatching();
    this.#subscription.unsubscribe();
    this.#onDone(error);
  }
}
