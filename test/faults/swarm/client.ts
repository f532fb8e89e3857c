import { Packr } from 'msgpackr';
import { ConnectionMachine, type NextStep } from '../../../src/client/connection-machine.ts';
import type { ClientMessage, Position, ServerMessage } from '../../../src/protocol/messages.ts';
import type { Frame, FrameReader } from './frame.ts';
import { ClientSocket } from './socket.ts';
import type { SwarmStats } from './stats.ts';
import { ClientLedger, type SharedFrames } from './swarm-ledger.ts';

/** The SDK's defaults: what is measured is what its users get. */
const BACKOFF = { baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 };
const RETRY_MS = 500;
/** Batches that may wait for a gap to be filled. */
const HELD_MAX = 1000;

const packr = new Packr({ useRecords: false, variableMapSize: true });

export interface ClientContext {
  readonly reader: FrameReader;
  readonly frames: SharedFrames;
  readonly stats: SwarmStats;
  readonly requestTimeoutMs: number;
}

/** One client that does what the protocol asks of clients, and writes down what its application would have been given. */
export class SwarmClient {
  readonly topic: string;
  readonly ledger: ClientLedger;
  /** Where a resume goes on from. */
  position: Position | undefined;
  connectionId = '';
  /** Subscribed, and nothing waits for a gap to be filled. */
  live = false;
  /** `performance.now()` of the last delivery. */
  deliveredAtMs = 0;
  readonly #context: ClientContext;
  readonly #token: string | undefined;
  readonly #machine: ConnectionMachine;
  #socket: ClientSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lostAtMs: number | undefined;
  #nextId = 1;
  /** The id of the request that is waited for, what it is, since when, and what it asked from. */
  #waiting:
    | { readonly id: number; readonly kind: 'subscribe' | 'history'; readonly sinceMs: number; readonly from: Position | undefined }
    | undefined;
  #held: Frame[] = [];

  /** @param urls tried in turn, `ws://127.0.0.1:<port>/ws` each */
  constructor(topic: string, urls: readonly string[], token: string | undefined, context: ClientContext) {
    this.topic = topic;
    this.#token = token;
    this.#context = context;
    this.ledger = new ClientLedger(context.frames);
    this.#machine = new ConnectionMachine({ urls, backoff: BACKOFF, random: Math.random });
  }

  start(): void {
    if (this.position !== undefined) this.#lostAtMs = performance.now();
    this.#next(this.#machine.start());
  }

  /** Away, without a goodbye. `start` brings it back to where it was. */
  leave(): void {
    this.#socket?.cut();
    this.#socket = undefined;
    clearTimeout(this.#timer);
    this.#forget();
    this.#machine.stop({ code: 1000, text: 'left' });
  }

  /** To be called now and then: an answer that never came is asked for again. */
  sweep(nowMs: number): void {
    if (this.#waiting !== undefined && nowMs - this.#waiting.sinceMs > this.#context.requestTimeoutMs) {
      this.#context.stats.timeouts++;
      this.#subscribe();
    }
  }

  #next(step: NextStep): void {
    clearTimeout(this.#timer);
    if (step.kind === 'wait') this.#timer = setTimeout(() => this.#next(this.#machine.due()), Math.max(0, step.untilMs - Date.now()));
    if (step.kind !== 'dial') return;
    const socket = new ClientSocket(Number(new URL(step.url).port), this.#token, {
      opened: () => {
        if (this.#token === undefined) this.#send({ type: 'connect', id: 0 });
        this.#subscribe();
      },
      frame: (bytes, start, end) => this.#receive(this.#context.reader.read(bytes, start, end)),
      ended: (code, text) => this.#lost(code, text),
    });
    this.#socket = socket;
  }

  #lost(code: number, text: string): void {
    this.#socket = undefined;
    const wasConnected = this.#machine.state.status === 'connected';
    if (wasConnected) {
      this.#lostAtMs = performance.now();
      this.#context.stats.disconnected(this.connectionId, code);
    } else this.#context.stats.refused(code, text);
    this.#forget();
    this.#next(this.#machine.lost({ code, text }, Date.now()));
  }

  #forget(): void {
    this.live = false;
    this.#waiting = undefined;
    this.#held = [];
  }

  #subscribe(): void {
    this.#forget();
    const id = this.#nextId++;
    const since = this.position;
    this.#waiting = { id, kind: 'subscribe', sinceMs: performance.now(), from: since };
    this.#send({ type: 'subscribe', id, topic: this.topic, snapshot: true, ...(since !== undefined && { since }) });
  }

  #askHistory(): void {
    if (this.#waiting !== undefined || this.position === undefined) return;
    const id = this.#nextId++;
    this.#waiting = { id, kind: 'history', sinceMs: performance.now(), from: this.position };
    this.#context.stats.historyAsked++;
    this.#send({ type: 'history', id, topic: this.topic, since: this.position });
  }

  #send(message: ClientMessage): void {
    this.#socket?.send(packr.pack(message));
  }

  #receive(frame: Frame): void {
    const { message } = frame;
    switch (message.type) {
      case 'batch':
        return this.#batch(frame, message);
      case 'connected':
        this.connectionId = message.connectionId;
        return this.#machine.connected(message, Date.now());
      case 'subscribed':
        return this.#subscribed(frame, message);
      case 'history':
        return this.#history(frame, message);
      case 'resync':
        if (this.#waiting?.kind === 'subscribe') return;
        this.#context.stats.resyncs++;
        this.#held = [];
        this.#waiting = undefined;
        return this.#restart(frame, message);
      case 'lagged':
        this.#context.stats.lagged++;
        if (message.offset === undefined || this.position === undefined || message.offset <= this.position.offset) return;
        this.ledger.event({ kind: 'skip', offset: message.offset });
        this.position = { ...this.position, offset: message.offset };
        return;
      case 'closing':
        return this.#machine.closing(message);
      case 'error':
        return this.#failed(message);
      case 'feed':
        if (!message.live) this.#context.stats.feedAway();
        return;
      default:
        return;
    }
  }

  #batch(frame: Frame, message: ServerMessage<'batch'>): void {
    if (this.#waiting?.kind === 'subscribe' || this.position === undefined) return;
    if (message.epoch !== this.position.epoch) {
      this.#context.stats.foreignEpochs++;
      return this.#subscribe();
    }
    if (message.prev <= this.position.offset) {
      this.#take(frame, message.prev);
      if (this.#held.length > 0) this.#join();
      return;
    }
    this.#context.stats.held++;
    this.live = false;
    if (this.#held.push(frame) > HELD_MAX) return this.#subscribe();
    this.#askHistory();
  }

  #subscribed(frame: Frame, message: ServerMessage<'subscribed'>): void {
    if (message.id !== this.#waiting?.id) return;
    const { from } = this.#waiting;
    this.#waiting = undefined;
    if (from !== undefined && message.recovered) {
      // Also of a life that goes on from the one that the position is of.
      this.position = { epoch: message.epoch, offset: from.offset };
      this.#context.stats.epochs.add(message.epoch);
      this.#take(frame, undefined);
      this.#moveTo(message.offset);
    } else {
      if (from !== undefined) this.#context.stats.notRecovered++;
      this.#restart(frame, message);
    }
    this.live = true;
    this.#context.stats.subscribed();
    if (this.#lostAtMs !== undefined) this.#context.stats.resumed(performance.now() - this.#lostAtMs);
    this.#lostAtMs = undefined;
  }

  #history(frame: Frame, message: ServerMessage<'history'>): void {
    if (message.id !== this.#waiting?.id) return;
    this.#waiting = undefined;
    if (!message.complete || message.epoch !== this.position?.epoch) return this.#subscribe();
    const before = this.position.offset;
    this.#take(frame, undefined);
    this.#moveTo(message.offset);
    if (this.position.offset === before) return this.#subscribe();
    this.#join();
  }

  #restart(frame: Frame, { epoch, offset }: { readonly epoch: string; readonly offset: number }): void {
    this.position = { epoch, offset };
    this.#context.stats.epochs.add(epoch);
    this.ledger.event({ kind: 'start', epoch, offset, snapshot: frame.offsets.at(-1) ?? null });
    this.live = true;
  }

  #join(): void {
    for (;;) {
      const at = this.#held.findIndex(({ message }) => (message as ServerMessage<'batch'>).prev <= this.position!.offset);
      if (at === -1) break;
      const [frame] = this.#held.splice(at, 1) as [Frame];
      this.#take(frame, (frame.message as ServerMessage<'batch'>).prev);
    }
    this.live = this.#held.length === 0;
    if (!this.live) this.#askHistory();
  }

  /** Gives the application what is new in the frame. @param prev undefined: the frame has none */
  #take(frame: Frame, prev: number | undefined): void {
    const position = this.position!;
    const { offsets } = frame;
    if (offsets.length === 0) return;
    this.deliveredAtMs = performance.now();
    if (prev === position.offset) {
      this.ledger.whole(frame);
    } else {
      const from = offsets.findIndex((offset) => offset > position.offset);
      this.#context.stats.dropped += from === -1 ? offsets.length : from;
      if (from === -1) return;
      this.ledger.event({ kind: 'part', frame, from, epoch: position.epoch });
    }
    this.#moveTo(offsets.at(-1)!);
  }

  #moveTo(offset: number): void {
    if (this.position !== undefined && offset > this.position.offset) this.position = { epoch: this.position.epoch, offset };
  }

  #failed({ id, code, retryAfterMs }: ServerMessage<'error'>): void {
    this.#context.stats.errorTold(code, id !== undefined);
    if (id === undefined || id !== this.#waiting?.id) return;
    this.#forget();
    // Spread, so that all clients of a topic do not ask at the same moment.
    this.#timer = setTimeout(() => this.#subscribe(), (retryAfterMs ?? RETRY_MS) * (0.5 + Math.random()));
  }
}
