import net from 'node:net';
import { nowUs } from '../../src/bench/clock.ts';
import { clientFrame, type FrameSink, OPCODE, walkFrames } from '../../src/bench/frames.ts';
import { readUpgradeAnswer, upgradeRequest } from '../../src/bench/handshake.ts';
import { ChunkMemo } from './chunk-memo.ts';
import { DIALECTS, type Dialect, type Positions, type Reaction, type TopicPosition } from './dialects.ts';
import { readStreamAnswer, streamRequest, walkEvents } from './events.ts';
import type { SwarmSettings } from './settings.ts';
import { ANY_SEQUENCE, Tally } from './tally.ts';
import { makeToken } from './token.ts';
import { WatchTally } from './watch-tally.ts';

const CHUNK_BYTES_MAX = 65_536;
/** A frame may lie across chunks; anything longer than this is not a frame of a server under test. */
const SCRATCH_BYTES = 4_194_304;
/** Ephemeral ports for one destination run out at 28,000, and their search gets slow well before: Linux looks at even ones first. */
const CONNECTIONS_PER_ADDRESS = 8000;

/** Each connection subscribes to the topic of its user. */
export const OWN_TOPIC = 'user.*';

/** Between two groups of connections that subscribe and unsubscribe. */
const CHURN_STEP_MS = 10;

/** `waiting`: open, and to subscribe when it is told to. */
const STATE = { idle: 0, upgrading: 1, waiting: 2, open: 3, ready: 4, closed: 5 } as const;

/** Needs no escapes in the topic of the user. */
function userOf(connection: number): string {
  return `user-${process.pid}-${connection}`;
}

/** Very many WebSocket clients on raw sockets in one process: one shared read buffer, no objects per message. */
export class Swarm implements FrameSink {
  readonly tally: Tally | WatchTally;
  /** Confirmed subscriptions, by connection. */
  readonly #confirmed: Uint16Array;
  readonly settings: SwarmSettings;
  ready = 0;
  closed = 0;
  /** What the server said it left out (`lagged`), summed, by connection. */
  readonly lagged: Float64Array;
  /** From the start of each connection, or of its subscribing, to its confirmed subscriptions. */
  readonly joinUs: Float64Array;
  /** Where each topic stood when somebody last subscribed to it. */
  readonly positions = new Map<string, TopicPosition>();
  readonly #since: Positions | undefined;
  refusal = '';
  readonly #dialect: Dialect;
  readonly #sockets: net.Socket[] = [];
  readonly #states: Uint8Array;
  readonly #carries: (Buffer | undefined)[] = [];
  readonly #chunk = Buffer.alloc(CHUNK_BYTES_MAX);
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);
  readonly #memo = new ChunkMemo(CHUNK_BYTES_MAX);
  /** The connection whose bytes are being walked, the time they were read, and whether all frames were items. */
  #current = 0;
  #readAtUs = 0;
  #onlyItems = true;
  #onSettled: () => void = () => {};

  /** @param since what the connections have already */
  constructor(settings: SwarmSettings, since?: Positions) {
    this.settings = settings;
    this.#since = since;
    this.#dialect = DIALECTS[settings.dialect];
    const { watch, count: connections } = settings;
    this.tally = watch === undefined ? new Tally({ ...settings, connections }) : new WatchTally({ ...settings, watch, connections });
    this.#confirmed = new Uint16Array(connections);
    this.#states = new Uint8Array(settings.count);
    this.lagged = new Float64Array(settings.count);
    this.joinUs = new Float64Array(settings.count);
  }

  /** Opens every connection, `inFlightMax` at a time, and resolves when all are subscribed (where that comes later: open) or closed. */
  connect(): Promise<void> {
    return this.#untilAllSettled((connection) => this.#open(connection));
  }

  /** Of connections that have been opened and wait for it. */
  subscribe(): Promise<void> {
    this.ready = 0;
    return this.#untilAllSettled((connection) => {
      if (this.#states[connection] !== STATE.waiting) return;
      this.joinUs[connection] = -nowUs();
      this.#hello(connection);
    });
  }

  /** Begins with every connection, `inFlightMax` of them at a time, and resolves when all are ready or closed. */
  #untilAllSettled(begin: (connection: number) => void): Promise<void> {
    const { count, inFlightMax } = this.settings;
    return new Promise((resolve) => {
      let begun = 0;
      const beginMore = () => {
        while (begun < count && begun - this.ready - this.closed < inFlightMax) begin(begun++);
        if (this.ready + this.closed >= count) resolve();
      };
      this.#onSettled = beginMore;
      beginMore();
    });
  }

  /** In one second so many connections subscribe, in the next they unsubscribe: their number rises and falls. */
  churn(durationMs: number): Promise<void> {
    const { count, subscription } = this.settings;
    const { topic } = subscription;
    const leave = this.#dialect.leave?.(topic);
    if (leave === undefined) throw new Error(`${this.settings.dialect} clients do not unsubscribe here`);
    for (const socket of this.#sockets) socket.write(leave);
    const join = this.#dialect.hello(subscription, [topic])[0] as Buffer;
    const startUs = nowUs();
    let turns = 0;
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const elapsedMs = (nowUs() - startUs) / 1000;
        for (; turns < (count * elapsedMs) / 1000; turns++)
          this.#sockets[turns % count]?.write(Math.floor(turns / count) % 2 === 0 ? join : leave);
        if (elapsedMs < durationMs) return;
        clearInterval(timer);
        resolve();
      }, CHURN_STEP_MS);
    });
  }

  /** Stops reading: the kernel's buffers fill, then the server's. */
  pause(first: number, count: number): void {
    for (const socket of this.#sockets.slice(first, first + count)) socket.pause();
  }

  resume(first: number, count: number): void {
    for (const socket of this.#sockets.slice(first, first + count)) socket.resume();
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  data(bytes: Buffer, start: number, end: number): void {
    const connection = this.#current;
    if (this.#states[connection] === STATE.ready && this.tally.count(connection, bytes, start, end, this.#readAtUs) > 0) return;
    this.#onlyItems = false;
    this.#react(connection, bytes.subarray(start, end));
  }

  ping(bytes: Buffer, start: number, end: number): void {
    this.#onlyItems = false;
    this.#sockets[this.#current]?.write(clientFrame(OPCODE.pong, bytes.subarray(start, end)));
  }

  close(bytes: Buffer, start: number, end: number): void {
    this.#onlyItems = false;
    if (end - start >= 2) this.refusal ||= `closed with ${bytes.readUInt16BE(start)} ${bytes.toString('utf8', start + 2, end)}`;
    this.#sockets[this.#current]?.destroy();
  }

  #open(connection: number): void {
    const { port, path = this.#dialect.path, tokenSecret } = this.settings;
    const token = tokenSecret === undefined ? undefined : makeToken(userOf(connection), tokenSecret);
    const host = `127.0.0.${1 + Math.floor(connection / CONNECTIONS_PER_ADDRESS)}`;
    const startedUs = nowUs();
    this.joinUs[connection] = -startedUs;
    const socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: this.#chunk,
        callback: (length: number) => {
          this.#read(connection, length);
          return true;
        },
      },
    });
    this.#sockets[connection] = socket;
    this.#states[connection] = STATE.upgrading;
    const { pathFor, subprotocol } = this.#dialect;
    const request =
      pathFor === undefined
        ? upgradeRequest(`${host}:${port}`, path, subprotocol, token)
        : streamRequest(`${host}:${port}`, pathFor(this.#topicsOf(connection)));
    socket.once('connect', () => socket.write(request));
    socket.once('error', (error) => {
      this.refusal ||= error.message;
    });
    socket.once('close', () => this.#closed(connection));
  }

  #closed(connection: number): void {
    if (this.#states[connection] === STATE.ready || this.#states[connection] === STATE.waiting) this.ready--;
    this.#states[connection] = STATE.closed;
    this.closed++;
    this.#onSettled();
  }

  #read(connection: number, length: number): void {
    const state = this.#states[connection];
    if (state === STATE.upgrading) return this.#readUpgrade(connection, length);
    const carry = this.#carries[connection];
    this.#readAtUs = state === STATE.ready && this.tally.isSampled(connection) ? nowUs() : 0;
    if (carry !== undefined) return this.#readOn(connection, carry, length);
    const { tally } = this;
    // A sampled connection's latencies must be read from its own items.
    const memoized = this.#readAtUs === 0 && this.settings.keys === 0 && tally instanceof Tally;
    const expected = memoized ? tally.nextSequence[connection]! : ANY_SEQUENCE;
    if (memoized && expected !== ANY_SEQUENCE) {
      const items = this.#memo.match(this.#chunk, length, expected);
      if (items > 0) return tally.countAgain(connection, items, this.#memo.frames);
    }
    const framesBefore = tally.frames;
    const end = this.#walk(connection, this.#chunk, 0, length);
    if (end < length) this.#carries[connection] = Buffer.from(this.#chunk.subarray(end, length));
    else if (this.#onlyItems && memoized && expected !== ANY_SEQUENCE)
      this.#remember(tally, connection, length, expected, tally.frames - framesBefore);
  }

  #remember(tally: Tally, connection: number, length: number, expected: number, frames: number): void {
    const items = tally.nextSequence[connection]! - expected;
    if (items > 0) this.#memo.remember(this.#chunk, length, expected, items, frames);
  }

  /** The chunk continues a frame that began in an earlier one. */
  #readOn(connection: number, carry: Buffer, length: number): void {
    const total = carry.length + length;
    if (total > SCRATCH_BYTES) return void this.#sockets[connection]?.destroy(new Error('a frame larger than the swarm reads'));
    carry.copy(this.#scratch, 0);
    this.#chunk.copy(this.#scratch, carry.length, 0, length);
    const end = this.#walk(connection, this.#scratch, 0, total);
    this.#carries[connection] = end < total ? Buffer.from(this.#scratch.subarray(end, total)) : undefined;
  }

  #walk(connection: number, bytes: Buffer, start: number, length: number): number {
    this.#current = connection;
    this.#onlyItems = true;
    return this.#dialect.isStream ? walkEvents(bytes, start, length, this) : walkFrames(bytes, start, length, this);
  }

  #readUpgrade(connection: number, length: number): void {
    // The answer of every server here fits one read; a split one would be refused below and show as a closed connection.
    const answer = this.#dialect.isStream ? readStreamAnswer(this.#chunk, length) : readUpgradeAnswer(this.#chunk, length);
    if (answer.kind !== 'open') {
      this.refusal ||= answer.kind === 'refused' ? answer.status : 'the answer to the upgrade came in parts';
      this.#sockets[connection]?.destroy();
      return;
    }
    if (this.settings.later) this.#isSettled(connection, STATE.waiting);
    else this.#hello(connection);
    if (answer.restAt === length) return;
    const end = this.#walk(connection, this.#chunk, answer.restAt, length);
    if (end < length) this.#carries[connection] = Buffer.from(this.#chunk.subarray(end, length));
  }

  #hello(connection: number): void {
    this.#states[connection] = STATE.open;
    const { subscription } = this.settings;
    const whole = this.#since === undefined ? subscription : { ...subscription, positions: this.#since };
    for (const frame of this.#dialect.hello(whole, this.#topicsOf(connection))) this.#sockets[connection]?.write(frame);
  }

  #isSettled(connection: number, state: number): void {
    this.#states[connection] = state;
    this.joinUs[connection] = nowUs() + this.joinUs[connection]!;
    this.ready++;
    this.#onSettled();
  }

  get #topicsEach(): number {
    return (this.settings.watch?.perConnection ?? 1) + (this.settings.alsoFollows === undefined ? 0 : 1);
  }

  #topicsOf(connection: number): string[] {
    const { watch, subscription, alsoFollows } = this.settings;
    const also = alsoFollows === undefined ? [] : [alsoFollows];
    if (subscription.topic === OWN_TOPIC) return [`user.${userOf(connection)}`, ...also];
    if (watch === undefined || !(this.tally instanceof WatchTally)) return [subscription.topic, ...also];
    const { map } = this.tally;
    return [
      ...Array.from({ length: watch.perConnection }, (_, place) => `${subscription.topic}${map.topicAt(connection, place)}`),
      ...also,
    ];
  }

  #react(connection: number, payload: Buffer): void {
    for (const reaction of this.#dialect.control(payload, this.settings.subscription)) this.#carryOut(connection, reaction);
  }

  #carryOut(connection: number, reaction: Reaction): void {
    switch (reaction.kind) {
      case 'none':
        return;
      case 'ready':
        if (this.#states[connection] !== STATE.open) return;
        if (reaction.at !== undefined) this.positions.set(reaction.at.topic, reaction.at);
        this.#confirmed[connection] = this.#confirmed[connection]! + reaction.topics;
        if (this.#confirmed[connection]! < this.#topicsEach) return;
        return this.#isSettled(connection, STATE.ready);
      case 'reply':
        for (const frame of reaction.frames) this.#sockets[connection]?.write(frame);
        return;
      case 'lagged':
        this.lagged[connection] = this.lagged[connection]! + reaction.skipped;
        return;
      case 'refused':
        this.refusal ||= reaction.why;
        this.#sockets[connection]?.destroy();
    }
  }
}
