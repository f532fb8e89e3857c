import type { Bus } from '../../bus/bus.ts';
import type { Config } from '../../config/schema.ts';
import type { EndOrder } from '../../link/orders.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import { OnceASecond } from '../../telemetry/once-a-second.ts';
import { NodeAnswers, type OtherNode } from '../node-answers.ts';
import type { FromNodes } from '../report-types.ts';
import { assertNotAhead, type Order, parseOrder } from './order.ts';
import type { Revocations } from './revocations.ts';

/** Larger messages are ignored. */
const BYTES_MAX = 4096;

export interface ControlOptions {
  readonly config: Pick<Config, 'tuning'>;
  readonly bus: Pick<Bus, 'announce' | 'onAnnouncement' | 'connected'>;
  /** Id of this process. */
  readonly instance: string;
  readonly logger: Logger;
  readonly revocations: Revocations;
  /** Carries the order out on this node. @returns the number of connections */
  readonly end: (order: EndOrder) => Promise<number>;
  readonly others: () => readonly OtherNode[];
}

/** The result of an order, from the nodes that have answered. */
export interface OrderAnswer extends FromNodes {
  readonly connections: number;
}

/** An order as it is sent to other nodes, besides the fields that {@link parseOrder} reads. */
interface Sent {
  readonly from?: unknown;
  readonly orderId?: unknown;
}

/**
 * Carries out orders to end connections, subscriptions and tokens. They come from this node's operator and from NATS (`stentor.control`), where other nodes and
 * any program with the permission publish them. Each node handles its own connections.
 */
export class Control {
  readonly #options: ControlOptions;
  readonly #stopListening: () => void;
  readonly #answers: NodeAnswers<number>;
  /** Whoever may publish there, or can make NATS answer there, could fill the log. */
  readonly #refused: OnceASecond;
  #lastOrder = 0;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#answers = new NodeAnswers(options.config.tuning.hub.orderBytesMax);
    this.#refused = new OnceASecond(options.logger, 'an order on stentor.control could not be carried out');
    this.#stopListening = options.bus.onAnnouncement('control', (data) => void this.#hear(data));
  }

  /**
   * Sends the order to all nodes.
   * @param value as {@link parseOrder} reads it
   * @returns when all nodes that are known have answered, or after `tuning.hub.orderTimeoutMs`
   * @throws ProtocolError `bad_message`, `bad_topic`, `busy`, `unavailable` (a revocation could not be kept), `unsupported`
   */
  async order(value: object): Promise<OrderAnswer> {
    const { config, bus, instance, revocations, others } = this.#options;
    const { orderTimeoutMs, ordersInFlightMax } = config.tuning.hub;
    const order = parseOrder(value, Date.now());
    assertNotAhead(order, Date.now());
    if (this.#answers.waiting >= ordersInFlightMax) throw new ProtocolError('busy', `${ordersInFlightMax} orders wait for answers`);
    if (order.action === 'revoke') await revocations.keep(order.revocation);
    const orderId = `${instance}-${++this.#lastOrder}`;
    const answers = this.#answers.wait(orderId, { others: others(), timeoutMs: bus.connected ? orderTimeoutMs : 0 });
    bus.announce('control', Buffer.from(JSON.stringify({ ...asSent(value, order), from: instance, orderId })));
    const own = await this.#carryOut(order);
    const { answers: theirs, nodesSilent } = await answers;
    return { nodes: 1 + theirs.length, nodesSilent, connections: theirs.reduce((sum, one) => sum + one, own) };
  }

  stop(): void {
    this.#stopListening();
  }

  async #hear(data: Uint8Array): Promise<void> {
    const { bus, instance, revocations } = this.#options;
    const message = parse(data);
    if (typeof message !== 'object' || message === null) return;
    const { from, orderId } = message as Sent;
    if (from === instance) return;
    if ('answerTo' in message) return this.#answered(message, data.length);
    try {
      const order = parseOrder(message, Date.now());
      if (from === undefined) assertNotAhead(order, Date.now());
      // A node stores a revocation before it announces it. Other programs leave that to the nodes.
      if (order.action === 'revoke' && from === undefined) await revocations.keep(order.revocation);
      const connections = await this.#carryOut(order);
      if (typeof orderId !== 'string') return;
      bus.announce('control', Buffer.from(JSON.stringify({ answerTo: orderId, from: instance, connections })));
    } catch (error) {
      this.#refused.warn({ err: error });
    }
  }

  async #carryOut(order: Order): Promise<number> {
    const { logger, revocations, end } = this.#options;
    const connections = await (order.action === 'revoke' ? revocations.add(order.revocation) : end(order));
    if (connections > 0 || order.action === 'revoke') logger.info({ order, connections }, 'an order was carried out');
    return connections;
  }

  #answered({ answerTo, from, connections }: Sent & { readonly answerTo?: unknown; readonly connections?: unknown }, bytes: number): void {
    if (typeof from !== 'string' || !Number.isSafeInteger(connections)) return;
    this.#answers.answered(String(answerTo), from, connections as number, bytes);
  }
}

/** Adds the values that were decided here, so that all nodes use the same. */
function asSent(value: object, order: Order): object {
  return order.action === 'revoke' && 'user' in order.revocation ? { ...value, issuedBeforeMs: order.revocation.issuedBeforeMs } : value;
}

function parse(data: Uint8Array): unknown {
  if (data.length > BYTES_MAX) return undefined;
  try {
    return JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
}
