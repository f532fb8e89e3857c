import { nowUs } from './clock.ts';
import { PayloadMaker } from './stamp.ts';

/** Shorter than the interval of any rate that is allowed. */
const TICK_MS = 2;
const BATCH_MAX = 500;

export interface PublishPlan {
  readonly count: number;
  readonly perSecond: number;
  readonly payloadBytes: number;
  readonly run: number;
  /** Publishes these payloads (JSON texts) in order. @returns the code of each that was refused */
  readonly send: (payloads: readonly string[]) => Promise<readonly string[]>;
  readonly signal: AbortSignal;
}

export interface Published {
  /** Stored publications. */
  readonly count: number;
  /** Number of refused ones, by code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly elapsedMs: number;
}

/**
 * Publishes at a constant rate. One request at a time, so that publications keep their order: what becomes due meanwhile goes with the next one. A stamp has the
 * time at which the publication was due, so that waiting is part of its latency.
 */
export async function publishAll({ count, perSecond, payloadBytes, run, send, signal }: PublishPlan): Promise<Published> {
  const payloads = new PayloadMaker(payloadBytes);
  const refused = new Map<string, number>();
  const startUs = nowUs();
  const dueUs = (sequence: number) => startUs + (sequence * 1e6) / perSecond;
  let sent = 0;
  let failed = 0;
  while (sent < count && !signal.aborted) {
    const batch: string[] = [];
    for (const now = nowUs(); sent < count && batch.length < BATCH_MAX && dueUs(sent) <= now; sent++) {
      // Numbers of clients have no gaps: what was refused keeps its number for the next one.
      batch.push(payloads.make(run, sent - failed, dueUs(sent)).toString('latin1'));
    }
    if (batch.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      continue;
    }
    const codes = await send(batch);
    for (const code of codes) refused.set(code, (refused.get(code) ?? 0) + 1);
    failed += codes.length;
  }
  return { count: sent - failed, refused, elapsedMs: (nowUs() - startUs) / 1000 };
}
