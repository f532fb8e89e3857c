import { type FaultRun, NAMESPACE } from './fault-run.ts';
import type { Feed } from './feed.ts';
import { LatencyProbe } from './latency-probe.ts';
import type { Acknowledged } from './ledger.ts';
import { monoMs } from './time.ts';

const TOPIC = `${NAMESPACE}.live`;
const PUBLISH_EVERY_MS = 50;

/** On the shared clock. */
export interface LiveAgain {
  /** NATS has stored the first publication. */
  readonly storedAtMs: number;
  /** A member at each node has one that was published since. */
  readonly liveAtMs: number;
}

/**
 * Tells when the feed itself is live: with a topic that nothing is published to while NATS is away, and one member at each node. So nobody is owed anything of it,
 * and it does not wait for what clients of other topics are owed.
 */
export class LiveWatch {
  readonly #feed: Feed;
  readonly #probes: readonly LatencyProbe[];
  /** When each node's member had something that was sent since {@link #sinceMs}. */
  readonly #liveAtMs: number[] = [];
  #sinceMs = Number.POSITIVE_INFINITY;
  #onLive = () => {};

  private constructor(feed: Feed, ports: readonly number[]) {
    this.#feed = feed;
    this.#probes = ports.map(
      (port, node) => new LatencyProbe(port, [TOPIC], { onPublication: (sentAtMs) => this.#received(node, sentAtMs) }),
    );
  }

  /** Resolves when the members of all nodes have had something. */
  static async start(run: FaultRun, urls: readonly string[]): Promise<LiveWatch> {
    const feed = await run.feed({ urls, topics: [TOPIC], ratePerSecond: 0 });
    const ports = run.nodes.map(({ port }) => port);
    const watch = new LiveWatch(feed, ports);
    for (const probe of watch.#probes) {
      run.onEnd(() => probe.stop());
      await probe.start();
    }
    await watch.liveAgain();
    return watch;
  }

  /** What the store must have of it. */
  get acknowledged(): readonly Acknowledged[] {
    return this.#feed.acknowledged;
  }

  /** Publishes until it is live. @throws Error after `timeoutMs` */
  async liveAgain(timeoutMs = 30_000): Promise<LiveAgain> {
    this.#liveAtMs.length = 0;
    this.#sinceMs = monoMs();
    let storedAtMs = Number.POSITIVE_INFINITY;
    const publishing: Promise<unknown>[] = [];
    const publish = () => {
      publishing.push(this.#feed.publish().then(() => (storedAtMs = Math.min(storedAtMs, monoMs()))));
    };
    publish();
    const timer = setInterval(publish, PUBLISH_EVERY_MS);
    let deadline: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#onLive = resolve;
        deadline = setTimeout(() => reject(new Error(`the feed of some node is not live after ${timeoutMs} ms`)), timeoutMs);
      });
    } finally {
      clearInterval(timer);
      clearTimeout(deadline);
    }
    await Promise.all(publishing);
    return { storedAtMs, liveAtMs: Math.max(...this.#liveAtMs) };
  }

  #received(node: number, sentAtMs: number): void {
    if (sentAtMs < this.#sinceMs) return;
    this.#liveAtMs[node] ??= monoMs();
    if (Object.keys(this.#liveAtMs).length === this.#probes.length) this.#onLive();
  }
}
