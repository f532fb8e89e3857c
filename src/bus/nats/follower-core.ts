import type { Delivery } from './delivery.ts';
import { type Anchor, isSameTime, type LogEnd } from './epoch.ts';

/** What to do with a delivery. The position moves only after `deliver`. `doubt`: only a consumer of the whole log can tell whether something is missing. */
export type Verdict = 'deliver' | 'drop' | 'restart' | 'gap' | 'rolled_back' | 'doubt';

export interface LogBounds extends LogEnd {
  readonly firstOffset: number;
  /** Age or size limits may have removed publications after the follower's position, even a key's latest one. */
  readonly mayHaveExpired: boolean;
}

/** One consumer of a follower. */
export class Leg {
  /** The stream sequence that it starts from. */
  readonly startSeq: number;
  /** It delivers only some topics of the log. */
  readonly isFiltered: boolean;
  consumerSeq = 0;
  anchorExpected: boolean;

  constructor(startSeq: number, isFiltered: boolean, anchorExpected: boolean) {
    this.startSeq = startSeq;
    this.isFiltered = isFiltered;
    this.anchorExpected = anchorExpected;
  }

  /** As far as its deliveries show, the log is the one that was followed so far. */
  get isSure(): boolean {
    return !this.anchorExpected;
  }

  /**
   * An idle heartbeat reports the number of deliveries.
   * @returns false if some have not arrived, or if there is nothing to deliver although the publication at the anchor should be: it was removed when the
   * consumer was created
   */
  agrees(lastConsumerSeq: number): boolean {
    return lastConsumerSeq <= this.consumerSeq && !this.anchorExpected;
  }
}

/**
 * Where a follower is, and which delivery may come next. Pure: it gets deliveries and returns decisions.
 *
 * Stream sequences are contiguous when they are stored, so a jump means that something was removed before it arrived here. A consumer's own sequence is
 * contiguous too. A jump there means that a message was lost on the way, and can be requested again. When following resumes, a publication that was seen, the
 * anchor, is requested again. If another one is there, the log is not the same. If none is there, the node cannot tell, which counts as a gap.
 *
 * A filtered consumer jumps all the time. It is trusted while it keeps up: a count limit removes a publication only after `countMax` later ones of its topic, and
 * they would all be waiting. Anything else is a doubt, and the whole log is followed again from the position.
 */
export class FollowerCore {
  readonly #toleratesGaps: boolean;
  readonly #waitingMax: number;
  #position: number;
  // Two numbers: a delivery creates no object. 0: no anchor.
  #anchorOffset = 0;
  #anchorNs = 0;
  /** Everything that was stored up to this time has been delivered. */
  #sureNs: number | undefined;

  /**
   * @param toleratesGaps for keyed namespaces: what was removed has been superseded by a publication of the same key
   * @param countMax how many publications of a topic the log keeps
   */
  constructor(afterOffset: number, toleratesGaps: boolean, countMax = Number.POSITIVE_INFINITY) {
    this.#position = afterOffset;
    this.#toleratesGaps = toleratesGaps;
    // Half: the server's count of what waits may be a moment old.
    this.#waitingMax = toleratesGaps ? Number.POSITIVE_INFINITY : countMax / 2;
  }

  /** Everything up to here has been delivered, is not wanted, or never existed. */
  get position(): number {
    return this.#position;
  }

  /** Everything that was stored up to this time has been delivered, nanoseconds since 1970; undefined if that is unknown. */
  get sureNs(): number | undefined {
    return this.#sureNs;
  }

  /** The last publication at or before the position that is known. */
  get anchor(): Anchor | undefined {
    return this.#anchorOffset === 0 ? undefined : { offset: this.#anchorOffset, timestampNs: this.#anchorNs };
  }

  /** Sets the anchor, if it was learnt otherwise than by a delivery. Ignored if it is beyond the position, or if a later one is known. */
  setAnchor(anchor: Anchor): void {
    if (anchor.offset > this.#position || anchor.offset < this.#anchorOffset) return;
    this.#anchorOffset = anchor.offset;
    this.#anchorNs = anchor.timestampNs;
    if (anchor.offset === this.#position) this.#sureNs = Math.max(this.#sureNs ?? 0, anchor.timestampNs);
  }

  /** A filtered consumer has passed this offset: everything wanted up to there has been delivered, and it was idle at that time. */
  pass(offset: number, timestampNs: number): void {
    if (offset < this.#position) return;
    this.#position = offset;
    this.#sureNs = Math.max(this.#sureNs ?? 0, timestampNs);
  }

  /** Whether following may begin or resume in a log with these bounds. */
  check({ firstOffset, lastOffset, lastTimestampNs, mayHaveExpired }: LogBounds): 'ok' | 'gap' | 'rolled_back' {
    if (lastOffset < this.#position) return 'rolled_back';
    const { anchor } = this;
    if (lastOffset === this.#position && (anchor === undefined || anchor.offset === lastOffset))
      return this.#checkEnd(firstOffset, lastTimestampNs);
    if (anchor !== undefined && firstOffset > anchor.offset) return 'gap';
    if (firstOffset <= this.#position + 1) return 'ok';
    return this.#toleratesGaps && !mayHaveExpired ? 'ok' : 'gap';
  }

  /** The log ends at the anchor. If that is still there, it is compared when it arrives. */
  #checkEnd(firstOffset: number, lastTimestampNs: number | undefined): 'ok' | 'gap' | 'rolled_back' {
    if (this.#anchorOffset === 0 || firstOffset <= this.#anchorOffset) return 'ok';
    if (lastTimestampNs === undefined) return 'gap';
    return isSameTime(lastTimestampNs, this.#anchorNs) ? 'ok' : 'rolled_back';
  }

  /** The first consumer after an interruption: of the whole log. */
  begin({ firstOffset }: Pick<LogBounds, 'firstOffset'>): Leg {
    const hasAnchor = this.#anchorOffset > 0 && firstOffset <= this.#anchorOffset;
    return new Leg(hasAnchor ? this.#anchorOffset : this.#position + 1, false, hasAnchor);
  }

  /** Another consumer, which takes over from one that is sure. Both may deliver until then. */
  continue(isFiltered: boolean): Leg {
    return new Leg(this.#position + 1, isFiltered, false);
  }

  /**
   * @param mayHaveExpired called at a jump that supersession may explain, and for filtered consumers: whether age may have removed the missing publications
   * before they arrived here
   */
  accept(leg: Leg, { streamSeq, consumerSeq, timestampNs, pending }: Delivery, mayHaveExpired: () => boolean): Verdict {
    if (consumerSeq !== leg.consumerSeq + 1) return 'restart';
    leg.consumerSeq = consumerSeq;
    if (leg.anchorExpected) {
      leg.anchorExpected = false;
      if (streamSeq !== this.#anchorOffset) return 'gap';
      return isSameTime(timestampNs, this.#anchorNs) ? 'drop' : 'rolled_back';
    }
    if (streamSeq <= this.#position) return 'drop';
    if (leg.isFiltered) {
      if (pending + 1 >= this.#waitingMax || mayHaveExpired()) return 'doubt';
    } else if (streamSeq > this.#position + 1 && (!this.#toleratesGaps || mayHaveExpired())) return 'gap';
    this.#position = streamSeq;
    this.#anchorOffset = streamSeq;
    this.#anchorNs = timestampNs;
    this.#sureNs = timestampNs;
    return 'deliver';
  }
}
