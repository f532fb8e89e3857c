import type { Delivery } from './delivery.ts';
import { type Anchor, isSameTime, type LogEnd } from './epoch.ts';

/** What to do with a delivery. Only after `deliver` has the position moved. */
export type Verdict = 'deliver' | 'drop' | 'restart' | 'gap' | 'rolled_back';

export interface LogBounds extends LogEnd {
  readonly firstOffset: number;
  /** Age or size, which spare no key's latest publication, may have removed some after the follower's position. */
  readonly mayHaveExpired: boolean;
}

/**
 * Where a follower is, and what may come next. Pure: deliveries in, verdicts out.
 *
 * Stream sequences are contiguous as they are stored, so a jump means that something was removed before it came here. A consumer's own
 * sequence is contiguous too, so a jump there means that it was lost on the way, and can be had again.
 * When following goes on, the publication at the position is asked for once more: another one there means that the log is not the one it was, and
 * none there that nobody can tell, which is a gap.
 */
export class FollowerCore {
  readonly #toleratesGaps: boolean;
  #position: number;
  #timestampNs: number | undefined;
  #consumerSeq = 0;
  #anchorExpected = false;

  /** @param toleratesGaps a keyed namespace's: what was removed has been superseded by a publication of the same key */
  constructor(afterOffset: number, toleratesGaps: boolean) {
    this.#position = afterOffset;
    this.#toleratesGaps = toleratesGaps;
  }

  get position(): number {
    return this.#position;
  }

  /** When the publication at the position was taken; undefined when none has come yet. */
  get timestampNs(): number | undefined {
    return this.#timestampNs;
  }

  /** The publication at the position, once one is known. */
  get anchor(): Anchor | undefined {
    return this.#timestampNs === undefined ? undefined : { offset: this.#position, timestampNs: this.#timestampNs };
  }

  /** The log is the one that was followed so far, as far as its deliveries say. */
  get isSure(): boolean {
    return !this.#anchorExpected;
  }

  /** What is at the position, learnt otherwise than by a delivery. */
  setAnchor(timestampNs: number): void {
    this.#timestampNs = timestampNs;
  }

  /** May following begin, or go on, in a log with these bounds? */
  check({ firstOffset, lastOffset, lastTimestampNs, mayHaveExpired }: LogBounds): 'ok' | 'gap' | 'rolled_back' {
    if (lastOffset < this.#position) return 'rolled_back';
    if (lastOffset === this.#position) return this.#checkEnd(firstOffset, lastTimestampNs);
    if (this.#timestampNs !== undefined && firstOffset > this.#position) return 'gap';
    if (firstOffset <= this.#position + 1) return 'ok';
    return this.#toleratesGaps && !mayHaveExpired ? 'ok' : 'gap';
  }

  /** The log ends at the position. Where its last publication is still there, it is compared when it comes. */
  #checkEnd(firstOffset: number, lastTimestampNs: number | undefined): 'ok' | 'gap' | 'rolled_back' {
    if (this.#timestampNs === undefined || firstOffset <= this.#position) return 'ok';
    if (lastTimestampNs === undefined) return 'gap';
    return isSameTime(lastTimestampNs, this.#timestampNs) ? 'ok' : 'rolled_back';
  }

  /** A consumer is about to be made. @returns the stream sequence that it starts from */
  begin({ firstOffset }: Pick<LogBounds, 'firstOffset'>): number {
    this.#consumerSeq = 0;
    this.#anchorExpected = this.#timestampNs !== undefined && firstOffset <= this.#position;
    return this.#anchorExpected ? this.#position : this.#position + 1;
  }

  /** @param mayHaveExpired asked at a jump that supersession may explain: may age have removed what is missing, before it came here? */
  accept({ streamSeq, consumerSeq, timestampNs }: Delivery, mayHaveExpired: () => boolean): Verdict {
    if (consumerSeq !== this.#consumerSeq + 1) return 'restart';
    this.#consumerSeq = consumerSeq;
    if (this.#anchorExpected) {
      this.#anchorExpected = false;
      if (streamSeq !== this.#position) return 'gap';
      return isSameTime(timestampNs, this.#timestampNs ?? 0) ? 'drop' : 'rolled_back';
    }
    if (streamSeq <= this.#position) return 'drop';
    if (streamSeq > this.#position + 1 && (!this.#toleratesGaps || mayHaveExpired())) return 'gap';
    this.#position = streamSeq;
    this.#timestampNs = timestampNs;
    return 'deliver';
  }

  /**
   * An idle heartbeat says how many deliveries there have been. @returns false when some have not come, or when there is nothing to deliver though the
   * publication at the position should be: it was removed as the consumer was made
   */
  agrees(lastConsumerSeq: number): boolean {
    return lastConsumerSeq <= this.#consumerSeq && !this.#anchorExpected;
  }
}
