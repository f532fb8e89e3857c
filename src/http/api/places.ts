import type { Config } from '../../config/schema.ts';

type Limits = Pick<Config['tuning']['admin'], 'requestsInFlightMax' | 'requestsPerTokenMax' | 'bodiesBytesMax' | 'bodiesBytesPerTokenMax'>;

/** What is used up: by all requests, or by those of one caller. */
interface Use {
  count: number;
  bytes: number;
}

/** The setting that leaves no room. */
export type Full = keyof Limits;

/** Bytes of bodies that may be read, and of answers. */
export interface Room {
  /** @returns the setting that leaves no room for these bytes, of which none are taken then; undefined: they are taken */
  take(bytes: number): Full | undefined;
  /** The same for an answer. One always fits: it exists already, and its size has a bound of its own. */
  takeAnswer(bytes: number): Full | undefined;
  release(bytes: number): void;
}

/**
 * Bounds the requests that are read or answered at the same time, and the bytes of their bodies and answers: of all, and of each caller, so that no caller keeps
 * the others out. A caller is a token, or an address where there are no tokens. It is forgotten with its last place.
 */
export class Places {
  readonly #limits: Limits;
  readonly #all: Use = { count: 0, bytes: 0 };
  readonly #callers = new Map<string, Use>();
  readonly #onFull: (full: Full) => void;

  /** @param onFull called for each request that found no room */
  constructor(limits: Limits, onFull: (full: Full) => void = () => undefined) {
    this.#limits = limits;
    this.#onFull = onFull;
  }

  get count(): number {
    return this.#all.count;
  }

  get bytes(): number {
    return this.#all.bytes;
  }

  /** @returns a place, until it is left; or the setting that leaves none */
  take(caller: string): Place | Full {
    const own = this.#callers.get(caller) ?? { count: 0, bytes: 0 };
    const { requestsInFlightMax, requestsPerTokenMax } = this.#limits;
    if (own.count >= requestsPerTokenMax) return this.#full('requestsPerTokenMax');
    if (this.#all.count >= requestsInFlightMax) return this.#full('requestsInFlightMax');
    own.count++;
    this.#all.count++;
    this.#callers.set(caller, own);
    const leave = () => {
      this.#all.count--;
      if (--own.count === 0) this.#callers.delete(caller);
    };
    const take = (bytes: number) => this.#takeBytes(own, bytes);
    const room: Room = {
      take,
      takeAnswer: (bytes) => (own.bytes === 0 ? this.#addBytes(own, bytes) : take(bytes)),
      release: (bytes) => void this.#addBytes(own, -bytes),
    };
    return { leave, room };
  }

  #takeBytes(own: Use, bytes: number): Full | undefined {
    const { bodiesBytesMax, bodiesBytesPerTokenMax } = this.#limits;
    if (own.bytes + bytes > bodiesBytesPerTokenMax) return this.#full('bodiesBytesPerTokenMax');
    if (this.#all.bytes + bytes > bodiesBytesMax) return this.#full('bodiesBytesMax');
    return this.#addBytes(own, bytes);
  }

  #addBytes(own: Use, bytes: number): undefined {
    own.bytes += bytes;
    this.#all.bytes += bytes;
  }

  #full(full: Full): Full {
    this.#onFull(full);
    return full;
  }
}

export interface Place {
  readonly room: Room;
  /** Call once. */
  leave(): void;
}
