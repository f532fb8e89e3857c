import { setTimeout as sleep } from 'node:timers/promises';
import type { PublishAck } from '../../bus/publication.ts';
import type { Topic } from '../../protocol/topic.ts';
import type { Publisher } from '../publisher.ts';
import { Pace } from './pace.ts';
import { type FileRecord, planRecord, type RecordPlan, type ReplayRecord } from './records.ts';
import { Window } from './window.ts';

export interface ReplayPlan extends RecordPlan {
  readonly topic: Topic;
  readonly speed: number;
  /** Stop at the first bad line. */
  readonly strict: boolean;
}

export interface ReplayCounts {
  acknowledged: number;
  duplicates: number;
  badLines: number;
  /** Times of the first and the last ack; 0 if there were none. */
  firstOffset: number;
  lastOffset: number;
}

export interface ReplayEvents {
  onBadLine(lineNumber: number, problem: string): void;
  onProgress(counts: Readonly<ReplayCounts>): void;
}

/** `stopped`: by the signal. `refused`: the other side refused a publication, or a line was invalid and the plan is strict. */
export type ReplayOutcome = { readonly counts: ReplayCounts } & (
  | { readonly kind: 'done' | 'stopped' }
  | { readonly kind: 'refused'; readonly lineNumber: number; readonly error: Error }
);

/** Errors that concern only one record. Any other error would occur for the next record too. */
const RECORD_CODES: readonly unknown[] = ['message_too_big', 'bad_payload', 'bad_key'];
/** Timers have no finer resolution. If a wait ends early, the next one is longer. */
const WAIT_MIN_MS = 1;
/** The maximum of setTimeout is 24.8 days. A longer gap in a file is split into several waits. */
const WAIT_MAX_MS = 86_400_000;

/**
 * Publishes records with the file's own timing and in order. The number of unacknowledged publications is bounded, and it reads no further ahead.
 *
 * @param signal ends it after everything sent has been acknowledged
 */
export async function replay(
  records: AsyncIterable<FileRecord>,
  publisher: Publisher,
  plan: ReplayPlan,
  events: ReplayEvents,
  signal: AbortSignal,
): Promise<ReplayOutcome> {
  const counts: ReplayCounts = { acknowledged: 0, duplicates: 0, badLines: 0, firstOffset: 0, lastOffset: 0 };
  const window = new Window(publisher.windowMax);
  const pace = new Pace(plan.speed, publisher.ratePerSecondMax);
  let refusal: { lineNumber: number; error: Error } | undefined;
  // Like the signal, a refusal ends the wait for the next record, which may be hours away.
  const refused = new AbortController();
  const halt = AbortSignal.any([signal, refused.signal]);

  const refuse = (lineNumber: number, error: Error) => {
    refusal ??= { lineNumber, error };
    refused.abort();
  };
  const bad = (lineNumber: number, problem: string) => {
    counts.badLines++;
    events.onBadLine(lineNumber, problem);
    if (plan.strict) refuse(lineNumber, new Error(problem));
  };
  const send = async ({ key, json, lineNumber }: ReplayRecord) => {
    try {
      count(counts, await publisher.publish({ topic: plan.topic, key, json }));
      events.onProgress(counts);
    } catch (error) {
      if (RECORD_CODES.includes((error as { code?: unknown }).code)) bad(lineNumber, (error as Error).message);
      else refuse(lineNumber, error as Error);
    } finally {
      window.release();
    }
  };

  for await (const record of records) {
    const planned = planRecord(record, plan);
    if ('problem' in planned) bad(planned.lineNumber, planned.problem);
    else {
      await wait(pace.waitMs(planned.timeMs, performance.now()), halt);
      await window.take();
      if (halt.aborted) {
        window.release();
        break;
      }
      void send(planned);
    }
    if (halt.aborted) break;
  }
  await window.drained();
  if (refusal !== undefined) return { kind: 'refused', counts, ...refusal };
  return { kind: signal.aborted ? 'stopped' : 'done', counts };
}

function count(counts: ReplayCounts, { offset, duplicate }: PublishAck): void {
  counts.acknowledged++;
  if (duplicate) counts.duplicates++;
  if (counts.firstOffset === 0) counts.firstOffset = offset;
  counts.lastOffset = Math.max(counts.lastOffset, offset);
}

async function wait(waitMs: number, signal: AbortSignal): Promise<void> {
  for (let left = waitMs; left >= WAIT_MIN_MS && !signal.aborted; left -= WAIT_MAX_MS) {
    await sleep(Math.min(left, WAIT_MAX_MS), undefined, { signal }).catch(() => {});
  }
}
