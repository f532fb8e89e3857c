import type { Histogram } from 'hdr-histogram-js';
import { keyAt, sequenceAt, timeUsAt } from '../../src/bench/stamp.ts';
import { StampScanner } from '../../src/bench/stamp-scanner.ts';
import { type Watchlist, WatchlistMap } from '../core/watchlist.ts';
import { newHistogram } from './histogram.ts';
import { ANY_SEQUENCE } from './tally.ts';

export interface WatchTallyOptions {
  readonly connections: number;
  readonly payloadBytes: number;
  readonly sampleEvery: number;
  readonly watch: Watchlist;
}

/** The same proof as {@link Tally}'s, for connections that follow many topics: one small integer a connection and topic. */
export class WatchTally {
  readonly map: WatchlistMap;
  delivered = 0;
  /** WebSocket frames that held items. */
  frames = 0;
  skipped = 0;
  repeated = 0;
  /** Items of topics that the connection did not ask for. */
  stray = 0;
  latency: Histogram = newHistogram();
  readonly #options: WatchTallyOptions;
  readonly #next: Int32Array;
  readonly #scanner: StampScanner;

  constructor(options: WatchTallyOptions) {
    this.#options = options;
    this.map = new WatchlistMap(options.watch);
    this.#next = new Int32Array(options.connections * options.watch.perConnection).fill(ANY_SEQUENCE);
    this.#scanner = new StampScanner(options.payloadBytes);
  }

  isSampled(connection: number): boolean {
    return connection % this.#options.sampleEvery === 0;
  }

  /** @param publications of the whole feed so far; -1: leave what each connection expects as it stands */
  openWindow(publications: number): void {
    this.delivered = 0;
    this.frames = 0;
    this.skipped = 0;
    this.repeated = 0;
    this.stray = 0;
    this.latency = newHistogram();
    if (publications < 0) return;
    this.#eachPlace((index, topic) => {
      this.#next[index] = this.map.publishedOn(topic, publications);
    });
  }

  /** Connections, from `first` on, that lack something of the feed's first `publications`. */
  behind(publications: number, first: number): number {
    const behind = new Set<number>();
    this.#eachPlace((index, topic, connection) => {
      if (connection >= first && this.#next[index]! < this.map.publishedOn(topic, publications)) behind.add(connection);
    });
    return behind.size;
  }

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

  #take(connection: number, bytes: Buffer, at: number): void {
    const place = this.map.placeOf(connection, keyAt(bytes, at));
    if (place < 0) {
      this.stray++;
      return;
    }
    const index = connection * this.map.perConnection + place;
    const sequence = sequenceAt(bytes, at);
    const expected = this.#next[index]!;
    if (sequence !== expected && expected !== ANY_SEQUENCE) {
      if (sequence > expected) this.skipped += sequence - expected;
      else this.repeated++;
    }
    if (sequence >= expected) this.#next[index] = sequence + 1;
  }

  #eachPlace(visit: (index: number, topic: number, connection: number) => void): void {
    const { perConnection } = this.map;
    for (let connection = 0; connection < this.#options.connections; connection++) {
      for (let place = 0; place < perConnection; place++) {
        visit(connection * perConnection + place, this.map.topicAt(connection, place), connection);
      }
    }
  }
}
