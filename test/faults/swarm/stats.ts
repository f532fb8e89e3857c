import { workerOf } from '../../support/connection-id.ts';

/** What a swarm counts beside the ledgers. */
export class SwarmStats {
  /** Items dropped as had already: no fault, but work. */
  dropped = 0;
  held = 0;
  historyAsked = 0;
  resyncs = 0;
  notRecovered = 0;
  lagged = 0;
  foreignEpochs = 0;
  timeouts = 0;
  readonly epochs = new Set<string>();
  readonly resumeMs: number[] = [];
  /** `performance.now()` of every end of a connection. */
  readonly endedAtMs: number[] = [];
  /** By the prefix of their connection id, which names a worker's life: so often did its connections end. */
  readonly disconnects: Record<string, number> = {};
  readonly closeCodes: Record<string, number> = {};
  readonly refusals: Record<string, number> = {};
  /** `error` messages by code: answers to requests, and those without a request. */
  readonly errors: Record<string, number> = {};
  readonly told: Record<string, number> = {};
  onSubscribed: () => void = () => {};

  disconnected(connectionId: string, code: number): void {
    this.endedAtMs.push(performance.now());
    count(this.disconnects, workerOf(connectionId));
    count(this.closeCodes, String(code));
  }

  refused(code: number, text: string): void {
    count(this.refusals, `${code} ${text}`);
  }

  /** Forgets what was counted of connections and of what was told: the next phase has counts of its own. */
  reset(): void {
    this.resumeMs.length = 0;
    this.endedAtMs.length = 0;
    this.resyncs = 0;
    this.notRecovered = 0;
    for (const counts of [this.disconnects, this.closeCodes, this.refusals, this.errors, this.told]) {
      for (const name of Object.keys(counts)) delete counts[name];
    }
  }

  /** The most ends of connections within any second. */
  get endsPerSecondMax(): number {
    let most = 0;
    let first = 0;
    for (const [i, atMs] of this.endedAtMs.entries()) {
      while (atMs - this.endedAtMs[first]! >= 1000) first++;
      most = Math.max(most, i - first + 1);
    }
    return most;
  }

  errorTold(code: string, isAnswer: boolean): void {
    count(isAnswer ? this.errors : this.told, code);
  }

  feedAway(): void {
    count(this.told, 'feedAway');
  }

  resumed(ms: number): void {
    this.resumeMs.push(ms);
  }

  subscribed(): void {
    this.onSubscribed();
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
