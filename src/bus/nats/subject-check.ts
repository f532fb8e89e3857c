import type { StreamInfo } from '@nats-io/jetstream';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { SubjectFaults } from '../subject-faults.ts';
import { parseSubject, type SubjectFault, wrongDepthFilters } from '../subjects.ts';

/** A look may take this share of the time between two at most. */
const SHARE_MAX = 0.01;

export interface SubjectCheckOptions {
  readonly namespace: string;
  readonly options: NamespaceOptions;
  readonly faults: SubjectFaults;
  /** In streams with more subjects only those of a wrong depth are found. */
  readonly subjectsMax: number;
  readonly info: (options?: { readonly subjects_filter: string }) => Promise<StreamInfo>;
  /** Somebody sees every message of the log as it comes. */
  readonly isFollowed: () => boolean;
  readonly nowMs: () => number;
}

/**
 * Finds producers' wrong subjects in a stream. While the log is followed, {@link note} is told of each. While it is not, a {@link look} at the stream's
 * list of subjects, which has a count for each, finds what has come since. It counts too little where retention removes messages between two looks, never
 * too much.
 */
export class SubjectCheck {
  readonly #options: SubjectCheckOptions;
  /** Messages with each fault that are in the stream and have been counted. */
  #counted = new Map<SubjectFault, number>();
  #lookedUpTo = 0;
  #notBeforeMs = 0;
  #isTooLarge = false;

  constructor(options: SubjectCheckOptions) {
    this.#options = options;
  }

  /** The follower met one. */
  note(subject: string, fault: SubjectFault, offset: number): void {
    if (offset <= this.#lookedUpTo && fault !== 'key_mismatch') return;
    const { namespace, options, faults } = this.#options;
    faults.note(namespace, options, fault, subject);
    this.#counted.set(fault, (this.#counted.get(fault) ?? 0) + 1);
  }

  /** @throws Error when the stream cannot be asked now */
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
    // The follower counts what came since it began: an answer from then on may have the same messages.
    if (isFollowed()) return;
    this.#lookedUpTo = last_seq;
    this.#take(subjects);
    this.#notBeforeMs = nowMs() + (performance.now() - startMs) / SHARE_MAX;
  }

  #take(subjects: Readonly<Record<string, number>>): void {
    const { namespace, options, faults } = this.#options;
    const found = new Map<SubjectFault, number>();
    for (const [subject, messages] of Object.entries(subjects)) {
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

  /** Which subjects to ask for: all, or, where they are many, those of a wrong depth, which the server can pick out. */
  #filters(subjects: number): readonly string[] {
    const { namespace, options, faults, subjectsMax } = this.#options;
    const wasTooLarge = this.#isTooLarge;
    this.#isTooLarge = subjects > subjectsMax;
    if (!this.#isTooLarge) return ['>'];
    if (!wasTooLarge) faults.tooMany(namespace, subjects, subjectsMax);
    return wrongDepthFilters(namespace, options);
  }
}
