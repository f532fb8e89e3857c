import { BusError } from '../bus-error.ts';
import { deliver } from '../deliver.ts';
import type { Follower } from '../log.ts';
import type { Publication } from '../publication.ts';
import { isImage } from './memory-images.ts';
import type { NamespaceStore } from './namespace-store.ts';

/** Follows a namespace's store by position. It does not copy publications that it has not delivered yet. */
export class MemoryFollower implements Follower {
  readonly namespace: string;
  readonly #onPublication: (publication: Publication) => void;
  readonly #onBroken: (error: Error) => void;
  readonly #onStop: (follower: MemoryFollower) => void;
  #position: number;
  #stopped = false;

  constructor(
    namespace: string,
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
    onStop: (follower: MemoryFollower) => void,
  ) {
    this.namespace = namespace;
    this.#position = afterOffset;
    this.#onPublication = onPublication;
    this.#onBroken = onBroken;
    this.#onStop = onStop;
  }

  get position(): number {
    return this.#position;
  }

  get live(): boolean {
    return !this.#stopped;
  }

  /** It cannot lose its log. */
  readonly interruptions = 0;

  async whenLive(): Promise<boolean> {
    return this.live;
  }

  readonly filteredTopics = undefined;

  /** It delivers all of the namespace. */
  async cover(): Promise<void> {}

  /** It cannot get stuck. */
  restart(): void {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#onStop(this);
  }

  /** Delivers what the store has after the position. */
  catchUp(store: NamespaceStore): void {
    if (this.#stopped || this.#position >= store.lastOffset) return;
    if (!store.isWholeAfter(this.#position)) {
      void this.stop();
      this.#onBroken(logGap(this.namespace, this.#position));
      return;
    }
    for (const publication of store.after(this.#position)) {
      if (this.#stopped) return;
      this.#position = publication.offset;
      if (!isImage(publication)) deliver(this.#onPublication, publication);
    }
    if (!this.#stopped) this.#position = store.lastOffset;
  }
}

export function logGap(namespace: string, afterOffset: number): BusError {
  return new BusError('log_gap', `the log of ${namespace} no longer has everything after offset ${afterOffset}`);
}
