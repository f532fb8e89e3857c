import type { Follower, Log, Publication } from '../bus/bus.ts';
import type { Logger } from '../ops/log.ts';

export interface LogFollowerEvents {
  onPublication(publication: Publication): void;
  /** What is delivered from here on may be of another life of the log. */
  onBroken(): void;
  /** Publications flow again, from the log's end as it is now. */
  onRestarted(reason: string): void;
}

/** A scrape waits for the log so long. */
const LAG_TIMEOUT_MS = 1000;

/**
 * Follows the log of one durable namespace while anybody here is interested in it. Starts at the log's end: what a topic was before comes by
 * reading. When the log breaks (it is gone, or is not the one we knew) the follower starts over and says so.
 */
export class LogFollower {
  readonly #log: Log;
  readonly #events: LogFollowerEvents;
  readonly #logger: Logger;
  #starting: Promise<void> | undefined;
  #follower: Follower | undefined;
  #stopped = false;

  constructor(log: Log, logger: Logger, events: LogFollowerEvents) {
    this.#log = log;
    this.#logger = logger;
    this.#events = events;
  }

  get position(): number {
    return this.#follower?.position ?? 0;
  }

  /** Publications between this follower and the end of its log; undefined: the log does not say so in time, or nothing is followed now. */
  async lag(): Promise<number | undefined> {
    if (this.#follower === undefined) return undefined;
    // The timer is cleared by nothing: an answer that comes after it changes nothing.
    const tooLate = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), LAG_TIMEOUT_MS).unref());
    const state = await Promise.race([this.#log.state().catch(() => undefined), tooLate]);
    return state && Math.max(0, state.lastOffset - this.position);
  }

  /** Resolves when publications flow; the same promise for all who ask. @throws BusError */
  start(): Promise<void> {
    this.#starting ??= this.#start().catch((error) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#starting?.catch(() => undefined);
    await this.#follower?.stop();
  }

  async #start(): Promise<void> {
    const { lastOffset } = await this.#log.state();
    this.#follower = await this.#log.follow(
      lastOffset,
      (publication) => this.#events.onPublication(publication),
      (error) => void this.#restart(error),
    );
  }

  async #restart(cause: Error): Promise<void> {
    this.#follower = undefined;
    this.#events.onBroken();
    for (let attempt = 0; !this.#stopped; attempt++) {
      this.#logger.warn({ namespace: this.#log.namespace, err: cause, attempt }, 'log follower broken, starting over');
      this.#starting = this.#start();
      const error = await this.#starting.then(
        () => undefined,
        (reason: Error) => reason,
      );
      if (error === undefined) return this.#events.onRestarted(cause.message);
      await new Promise((resolve) => setTimeout(resolve, Math.min(250 * 2 ** attempt, 5000)));
    }
  }
}
