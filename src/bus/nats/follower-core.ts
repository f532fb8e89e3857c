import type { Delivery } from './delivery.ts';
import { type Anchor, isSameTime, type LogEnd } from './epoch.ts';

/** What to do with a delivery. The position moves only after `deliver`. */
export type Verdict = 'deliver' | 'drop' | 'restart' | 'gap' | 'rolled_back';

export interface LogBounds extends LogEnd {
  readonly firstOffset: number;
  /** Age or size limits may have removed publications after the follower's position, even a key's latest one. */
  readonly mayHaveExpired: boolean;
}

/**
 * Where a follower is, and which delivery may come next. Pure: it gets deliveries and returns decisions.
 *
 * Stream sequences are contiguous when they are stored, so a jump means that something was removed before it arrived here. A consumer's own sequence is
 * contiguous too. A jump there means that a message was lost on the way, and can be requested again. When following resumes, the publication at the position is
 * requested again. If another one is there, the log is not the same. If none is there, the node cannot tell, which counts as a gap.
 */
export class FollowerCore {
  readonly #toleratesGaps: boolean;
  #position: number;
  #timestampNs: number | undefined;
  #consumerSeq = 0;
  #anchorExpected = false;

  /** @param toleratesGaps for keyed namespaces: what was removed has been superseded by a publication of the same key */
  constructor(afterOffset: number, toleratesGaps: boolean) {
    this.#position = afterOffset;
    this.#toleratesGaps = toleratesGaps;
  }

  get position(): number {
    return this.#position;
  }

  /** When the publication at the position was stored; undefined if none has arrived yet. */
  get timestampNs(): number | undefined {
    return this.#timestampNs;
  }

  /** The publication at the position, once it is known. */
  get anchor(): Anchor | undefined {
    return this.#timestampNs === undefined ? undefined : { offset: this.#position, timestampNs: this.#timestampNs };
  }

  /** As far as its deliveries show, the log is the one that was followed so far. */
  get isSure(): boolean {
    return !this.#anchorExpected;
  }

  /** Sets the publication at the position, if it was learnt otherwise than by a delivery. */
  setAnchor(timestampNs: number): void {
    this.#timestampNs = timestampNs;
  }

  /** Whether following may begin or resume in a log with these bounds. */
  check({ firstOffset, lastOffset, lastTimestampNs, mayHaveExpired }: LogBounds): 'ok' | 'gap' | 'rolled_back' {
    if (lastOffset < this.#position) return 'rolled_back';
    if (lastOffset === this.#position) return this.#checkEnd(firstOffset, lastTimestampNs);
    if (this.#timestampNs !== undefined && firstOffset > this.#position) return 'gap';
    if (firstOffset <= this.#position + 1) return 'ok';
    return this.#toleratesGaps && !mayHaveExpired ? 'ok' : 'gap';
  }

  /** The log ends at the position. If its last publication is still there, it is compared when it arrives. */
  #checkEnd(firstOffset: number, lastTimestampNs: number | undefined): 'ok' | 'gap' | 'rolled_back' {
    if (this.#timestampNs === undefined || firstOffset <= this.#position) return 'ok';
    if (lastTimestampNs === undefined) return 'gap';
    return isSameTime(lastTimestampNs, this.#timestampNs) ? 'ok' : 'rolled_back';
  }

  /** Call before a consumer is created. @returns the stream sequence that it starts from */
  begin({ firstOffset }: Pick<LogBounds, 'firstOffset'>): number {
    this.#consumerSeq = 0;
    this.#anchorExpected = this.#timestampNs !== undefined && firstOffset <= this.#position;
    return this.#anchorExpected ? this.#position : this.#position + 1;
  }

  /** @param mayHaveExpired called at a jump that supersession may explain: whether age may have removed the missing publications before they arrived here */
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
   * An idle heartbeat reports the number of deliveries.
   * @returns false if some have not arrived, or if there is nothing to deliver although the publication at the position should be: it was removed when the
   * consumer was created
   */
  agrees(lastConsumerSeq: number): boolean {
    return lastConsumerSeq <= this.#consumerSeq && !this.#anchorExpected;
  }
}
