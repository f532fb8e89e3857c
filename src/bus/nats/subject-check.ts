import type { StreamInfo } from '@nats-io/jetstream';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { SubjectFaults } from '../subject-faults.ts';
import { isImageSubject, parseSubject, type SubjectFault, wrongDepthFilters } from '../subjects.ts';

/** A check may take at most this share of the time between two checks. */
const SHARE_MAX = 0.01;

export interface SubjectCheckOptions {
  readonly namespace: string;
  readonly options: NamespaceOptions;
  readonly faults: SubjectFaults;
  /** In streams with more subjects, only those of a wrong depth are found. */
  readonly subjectsMax: number;
  readonly info: (options?: { readonly subjects_filter: string }) => Promise<StreamInfo>;
  /** The log is followed, so every message is seen. */
  readonly isFollowed: () => boolean;
  readonly nowMs: () => number;
}

/**
 * Finds producers' wrong subjects in a stream. While the log is followed, {@link note} is called for each. While it is not followed, a {@link look} at the
 * stream's list of subjects, which has a count for each, finds new ones. The result is too low if retention removes messages between two checks, and never too
 * high.
 */
export class SubjectCheck {
  readonly #options: SubjectCheckOptions;
  /** By fault: messages in the stream that have been counted. */
  #counted = new Map<SubjectFault, number>();
  #lookedUpTo = 0;
  #notBeforeMs = 0;
  #isTooLarge = false;

  constructor(options: SubjectCheckOptions) {
    this.#options = options;
  }

  /** Call when the follower has received one. */
  note(subject: string, fault: SubjectFault, offset: number): void {
    if (offset <= this.#lookedUpTo && fault !== 'key_mismatch') return;
    const { namespace, options, faults } = this.#options;
    faults.note(namespace, options, fault, subject);
    this.#counted.set(fault, (this.#counted.get(fault) ?? 0) + 1);
  }

  /** @throws Error if the stream cannot be read now */
  async look(): Promise<void> {
    const { info, isFollowed, nowMs } = this.#options;
    if (isFollowed() || nowMs() < this.#notBeforeMs) return;
    const { last_seq, num_subjects = 0 } = (await info()).state;
    if (last_seq === this.#lookedUpTo) return;
    const startMs = performance.now();
    const subjects: Record<string, number> = {};
    for (const filter of this.#filters(num_subjects)) {
      Object.assign(subjects, (await info({ subjects_filter: filter })).state.subjects);
    }
    // The follower counts what arrived since it began. A later list of subjects may contain the same messages.
    if (isFollowed()) return;
    this.#lookedUpTo = last_seq;
    this.#take(subjects);
    this.#notBeforeMs = nowMs() + (performance.now() - startMs) / SHARE_MAX;
  }

  #take(subjects: Readonly<Record<string, number>>): void {
    const { namespace, options, faults } = this.#options;
    const found = new Map<SubjectFault, number>();
    for (const [subject, messages] of Object.entries(subjects)) {
      if (isImageSubject(subject)) continue;
      const fault = parseSubject(subject, options);
      if (typeof fault !== 'string') continue;
      found.set(fault, (found.get(fault) ?? 0) + messages);
      faults.log(namespace, options, fault, subject);
    }
    for (const [fault, messages] of found) {
      const more = messages - (this.#counted.get(fault) ?? 0);
      if (more > 0) faults.count(namespace, fault, more);
    }
    this.#counted = found;
  }

  /** Which subjects to request: all, or, if there are many, those of a wrong depth, which the server can select. */
  #filters(subjects: number): readonly string[] {
    const { namespace, options, faults, subjectsMax } = this.#options;
    const wasTooLarge = this.#isTooLarge;
    this.#isTooLarge = subjects > subjectsMax;
    if (!this.#isTooLarge) return ['>'];
    if (!wasTooLarge) faults.tooMany(namespace, subjects, subjectsMax);
    return wrongDepthFilters(namespace, options);
  }
}
