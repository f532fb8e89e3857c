import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import type { Connection } from './connection.ts';
import type { Delivery } from './delivery.ts';
import type { FollowerCore, Leg } from './follower-core.ts';
import { type Heartbeat, OrderedConsumer, type StreamPlace } from './ordered-consumer.ts';

/** A heartbeat of an idle consumer may say what was so at the heartbeat before. */
const HEARTBEAT_AGE_MS = 1000;
const LOST = 'a publication was lost on the way';

export interface ConsumptionOptions {
  readonly connection: Connection;
  readonly place: StreamPlace;
  readonly core: FollowerCore;
  readonly nowMs: () => number;
  /** @returns why following must end */
  readonly receive: (leg: Leg, message: Msg, delivery: Delivery) => string | undefined;
  /** What has come shows that the log is still the same. May be called often. */
  readonly onSure: () => void;
  /** Called at most once. */
  readonly onEnded: (reason: string) => void;
}

interface Running {
  readonly consumer: OrderedConsumer;
  readonly leg: Leg;
}

/**
 * Following a stream without interruption: by one consumer, or by two while a second one takes over because other topics are wanted. The second one begins at
 * the position, and both deliver until the server has confirmed it: what one has delivered is dropped from the other. So it may be given up at any time before.
 */
export class Consumption {
  readonly #options: ConsumptionOptions;
  #current: Running | undefined;
  #next: Running | undefined;
  #ended = false;

  constructor(options: ConsumptionOptions) {
    this.#options = options;
  }

  /** @throws what the client throws */
  async begin(jsm: JetStreamManager, leg: Leg): Promise<void> {
    const running = this.#run(leg);
    this.#current = running;
    await this.#start(running, jsm);
    this.#lookIfSure(running);
  }

  /**
   * Continues with a consumer of these subjects; undefined: of all.
   * @returns false if it cannot; the present one continues then
   */
  async takeOver(jsm: JetStreamManager, filters: readonly string[] | undefined): Promise<boolean> {
    const { core } = this.#options;
    if (this.#ended || this.#next !== undefined || this.#current?.leg.isSure !== true) return false;
    const next = this.#run(core.continue(filters !== undefined));
    this.#next = next;
    const isRight = await this.#start(next, jsm, filters).catch(() => false);
    // It may have ended meanwhile, or all may have.
    if (this.#next !== next) return false;
    this.#next = undefined;
    if (!isRight) {
      next.consumer.stop();
      return false;
    }
    this.#current.consumer.stop();
    this.#current = next;
    return true;
  }

  stop(): void {
    this.#ended = true;
    this.#current?.consumer.stop();
    this.#next?.consumer.stop();
    this.#current = undefined;
    this.#next = undefined;
  }

  #start({ consumer, leg }: Running, jsm: JetStreamManager, filters?: readonly string[]): Promise<boolean> {
    return this.#options.connection.request(() => consumer.start(jsm, leg.startSeq, filters));
  }

  #run(leg: Leg): Running {
    const { connection, place, receive } = this.#options;
    const running: Running = {
      leg,
      consumer: new OrderedConsumer(connection, place, {
        onMessage: (message, delivery) => {
          const trouble = receive(leg, message, delivery);
          if (trouble !== undefined) this.#end(running, trouble);
          else this.#lookIfSure(running);
        },
        onHeartbeat: (heartbeat) => this.#hear(running, heartbeat),
        onEnded: (reason) => this.#end(running, reason),
      }),
    };
    return running;
  }

  #hear(running: Running, { lastConsumerSeq, lastStreamSeq, stalled }: Heartbeat): void {
    const { leg } = running;
    if (!leg.agrees(lastConsumerSeq)) return this.#end(running, LOST);
    if (!leg.isFiltered || running !== this.#current || lastConsumerSeq !== leg.consumerSeq) return;
    const { core, nowMs } = this.#options;
    core.pass(lastStreamSeq, stalled ? 0 : (nowMs() - HEARTBEAT_AGE_MS) * 1e6);
  }

  #lookIfSure({ leg }: Running): void {
    if (leg.isSure) this.#options.onSure();
  }

  #end(running: Running, reason: string): void {
    running.consumer.stop();
    if (this.#ended) return;
    if (running === this.#next) {
      this.#next = undefined;
      return;
    }
    if (running !== this.#current) return;
    this.stop();
    this.#options.onEnded(reason);
  }
}
