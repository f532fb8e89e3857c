import type { Histogram } from 'hdr-histogram-js';
import { keyAt, sequenceAt, timeUsAt } from '../../src/bench/stamp.ts';
import { StampScanner } from '../../src/bench/stamp-scanner.ts';
import { newHistogram } from './histogram.ts';

export interface TallyOptions {
  readonly connections: number;
  readonly payloadBytes: number;
  /** Latencies are kept of every n-th connection: recording one costs more than counting it. */
  readonly sampleEvery: number;
  /** Keys of the topic; 0: not keyed, and then sequences must be contiguous. */
  readonly keys: number;
}

/** The sequence that a connection expects when it has seen none: the first one sets it. */
export const ANY_SEQUENCE = -1;

/** Counts what each connection got, and proves that nothing is missing, doubled or out of order: one small integer a connection. */
export class Tally {
  readonly nextSequence: Int32Array;
  /** Last sequence by connection and key; empty where there are no keys. */
  readonly lastByKey: Int32Array;
  delivered = 0;
  /** WebSocket frames that held items. */
  frames = 0;
  /** Sequences jumped over. On a keyed topic that is conflation, else it is loss. */
  skipped = 0;
  /** Sequences seen again, or after a later one. */
  repeated = 0;
  /** A connection follows one topic: nothing else can come. */
  readonly stray = 0;
  latency: Histogram = newHistogram();
  readonly #options: TallyOptions;
  readonly #scanner: StampScanner;

  constructor(options: TallyOptions) {
    this.#options = options;
    this.#scanner = new StampScanner(options.payloadBytes);
    this.nextSequence = new Int32Array(options.connections).fill(ANY_SEQUENCE);
    this.lastByKey = new Int32Array(options.connections * options.keys).fill(ANY_SEQUENCE);
  }

  isSampled(connection: number): boolean {
    return connection % this.#options.sampleEvery === 0;
  }

  /** @param sequence what every connection now expects; -1: as it stands */
  openWindow(sequence: number): void {
    this.delivered = 0;
    this.frames = 0;
    this.skipped = 0;
    this.repeated = 0;
    this.latency = newHistogram();
    if (sequence >= 0) this.nextSequence.fill(sequence);
  }

  /** Connections, from `first` on, that have not got everything before `sequence`. */
  behind(sequence: number, first: number): number {
    let behind = 0;
    for (let i = first; i < this.nextSequence.length; i++) if (this.nextSequence[i]! < sequence) behind++;
    return behind;
  }

  /** Counts the items of one frame's payload; 0: it is not a frame of items. `nowUs` is read only where the connection is sampled. */
  count(connection: number, bytes: Buffer, start: number, end: number, nowUs: number): number {
    const sampled = this.isSampled(connection);
    const items = this.#scanner.each(bytes, start, end, (at) => {
      this.#take(connection, bytes, at);
      if (sampled) this.latency.recordValue(Math.max(1, Math.round(nowUs - timeUsAt(bytes, at))));
    });
    this.delivered += items;
    if (items > 0) this.frames++;
    return items;
  }

  /** A chunk whose bytes were already counted for another connection that expected the same: see {@link ChunkMemo}. */
  countAgain(connection: number, items: number, frames: number): void {
    this.delivered += items;
    this.frames += frames;
    this.nextSequence[connection] = this.nextSequence[connection]! + items;
  }

  #take(connection: number, bytes: Buffer, at: number): void {
    const sequence = sequenceAt(bytes, at);
    const expected = this.nextSequence[connection]!;
    if (sequence !== expected && expected !== ANY_SEQUENCE) {
      if (sequence > expected) this.skipped += sequence - expected;
      else this.repeated++;
    }
    if (sequence >= expected) this.nextSequence[connection] = sequence + 1;
    if (this.#options.keys > 0) this.lastByKey[connection * this.#options.keys + keyAt(bytes, at)] = sequence;
  }
}
