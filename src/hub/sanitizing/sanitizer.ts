import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config } from '../../config/schema.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { namespaceOf } from '../../protocol/topic.ts';
import { codeOf } from '../failure.ts';
import type { Draft } from '../publisher.ts';
import { type CleaningRules, cleanData, hasLessThan } from './clean-data.ts';
import type { SanitizerWatch } from './sanitizer-metrics.ts';
import { loadTextCleaner, mayContainTags, type SanitizeMode } from './text-cleaner.ts';

interface Waiting {
  readonly draft: Draft;
  readonly rules: CleaningRules;
  readonly resolve: (draft: Draft) => void;
  readonly reject: (error: Error) => void;
}

/** What it needs of its surroundings; tests have their own. */
export interface SanitizerClock {
  now(): number;
  /** Calls once, after other work of the process. */
  later(callback: () => void): void;
}

export interface SanitizerOptions {
  /** Called only if a namespace sanitizes. */
  readonly watch: () => SanitizerWatch;
  readonly clock?: SanitizerClock;
}

const CLOCK: SanitizerClock = { now: () => performance.now(), later: (callback) => void setImmediate(callback) };

/**
 * Cleans what clients publish to namespaces with `sanitize`, once, before it is stored. Publications are cleaned in the order in which they came, for a limited
 * time in each turn of the loop, so that floods of them do not hold up the feeds.
 */
export class Sanitizer {
  readonly #config: Config;
  readonly #rules: Readonly<Record<SanitizeMode, CleaningRules>>;
  readonly #clock: SanitizerClock;
  readonly #watch: SanitizerWatch;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  /** @returns undefined: no namespace sanitizes, and the library is not loaded */
  static async create(config: Config, { watch, clock = CLOCK }: SanitizerOptions): Promise<Sanitizer | undefined> {
    if (Object.values(config.namespaces).every(({ sanitize }) => sanitize === 'off')) return undefined;
    const cleaner = await loadTextCleaner();
    const { textBytesMax } = config.tuning.sanitize;
    const rules = (mode: SanitizeMode): CleaningRules => ({ cleanText: cleaner(mode), textBytesMax });
    return new Sanitizer(config, { text: rules('text'), html: rules('html') }, watch(), clock);
  }

  private constructor(config: Config, rules: Readonly<Record<SanitizeMode, CleaningRules>>, watch: SanitizerWatch, clock: SanitizerClock) {
    this.#config = config;
    this.#rules = rules;
    this.#watch = watch;
    this.#clock = clock;
  }

  /**
   * The draft with clean texts: at once if there is nothing to clean and nothing waits.
   * @throws ProtocolError `bad_key` if the key has a tag; `busy` if too many wait. The promise rejects as {@link cleanData} throws
   */
  clean(draft: Draft): Draft | Promise<Draft> {
    const mode = namespaceOptions(this.#config, namespaceOf(draft.topic))?.sanitize ?? 'off';
    if (mode === 'off') return draft;
    if (draft.key !== null && mayContainTags(draft.key))
      throw this.#refusal('bad_key', 'the key has a tag, which this namespace does not allow');
    if (this.#waiting.length === 0 && !hasLessThan(draft.data)) return draft;
    const { queueMax, queueBytesMax } = this.#config.tuning.sanitize;
    if (this.#waiting.length >= queueMax || this.#waitingBytes + draft.data.length > queueBytesMax)
      throw this.#refusal('busy', 'too many publications wait to be sanitized');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, rules: this.#rules[mode], resolve, reject });
      this.#waitingBytes += draft.data.length;
      this.#watch.waiting(this.#waiting.length, this.#waitingBytes);
      if (this.#waiting.length === 1) this.#clock.later(() => this.#turn());
    });
  }

  #refusal(code: 'bad_key' | 'busy', message: string): ProtocolError {
    this.#watch.refused(code);
    return new ProtocolError(code, message);
  }

  #turn(): void {
    let nowMs = this.#clock.now();
    const untilMs = nowMs + this.#config.tuning.sanitize.turnMs;
    let done = 0;
    for (const waiting of this.#waiting) {
      done++;
      this.#waitingBytes -= waiting.draft.data.length;
      const beganAtMs = nowMs;
      const outcome = this.#cleanOne(waiting);
      nowMs = this.#clock.now();
      this.#watch.cleaned(outcome, nowMs - beganAtMs);
      if (nowMs >= untilMs) break;
    }
    this.#waiting = this.#waiting.slice(done);
    this.#watch.waiting(this.#waiting.length, this.#waitingBytes);
    if (this.#waiting.length > 0) this.#clock.later(() => this.#turn());
  }

  #cleanOne({ draft, rules, resolve, reject }: Waiting): 'unchanged' | 'changed' | 'refused' {
    try {
      const data = cleanData(draft.data, rules);
      resolve({ ...draft, data });
      return data === draft.data ? 'unchanged' : 'changed';
    } catch (error) {
      this.#watch.refused(codeOf(error as Error));
      reject(error as Error);
      return 'refused';
    }
  }
}
