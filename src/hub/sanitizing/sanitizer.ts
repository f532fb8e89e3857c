import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config } from '../../config/schema.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { namespaceOf } from '../../protocol/topic.ts';
import type { Draft } from '../publisher.ts';
import { type CleaningRules, cleanData, hasLessThan } from './clean-data.ts';
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

const CLOCK: SanitizerClock = { now: () => performance.now(), later: (callback) => void setImmediate(callback) };

/**
 * Cleans what clients publish to namespaces with `sanitize`, once, before it is stored. Publications are cleaned in the order in which they came, for a limited
 * time in each turn of the loop, so that floods of them do not hold up the feeds.
 */
export class Sanitizer {
  readonly #config: Config;
  readonly #rules: Readonly<Record<SanitizeMode, CleaningRules>>;
  readonly #clock: SanitizerClock;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  /** @returns undefined: no namespace sanitizes, and the library is not loaded */
  static async create(config: Config, clock = CLOCK): Promise<Sanitizer | undefined> {
    if (Object.values(config.namespaces).every(({ sanitize }) => sanitize === 'off')) return undefined;
    const cleaner = await loadTextCleaner();
    const { textBytesMax } = config.tuning.sanitize;
    const rules = (mode: SanitizeMode): CleaningRules => ({ cleanText: cleaner(mode), textBytesMax });
    return new Sanitizer(config, { text: rules('text'), html: rules('html') }, clock);
  }

  private constructor(config: Config, rules: Readonly<Record<SanitizeMode, CleaningRules>>, clock: SanitizerClock) {
    this.#config = config;
    this.#rules = rules;
    this.#clock = clock;
  }

  /** Publications that wait, for metrics. */
  get size(): number {
    return this.#waiting.length;
  }

  /**
   * The draft with clean texts: at once if there is nothing to clean and nothing waits.
   * @throws ProtocolError `bad_key` if the key has a tag; `busy` if too many wait. The promise rejects as {@link cleanData} throws
   */
  clean(draft: Draft): Draft | Promise<Draft> {
    const mode = namespaceOptions(this.#config, namespaceOf(draft.topic))?.sanitize ?? 'off';
    if (mode === 'off') return draft;
    if (draft.key !== null && mayContainTags(draft.key))
      throw new ProtocolError('bad_key', 'the key has a tag, which this namespace does not allow');
    if (this.#waiting.length === 0 && !hasLessThan(draft.data)) return draft;
    const { queueMax, queueBytesMax } = this.#config.tuning.sanitize;
    if (this.#waiting.length >= queueMax || this.#waitingBytes + draft.data.length > queueBytesMax)
      throw new ProtocolError('busy', 'too many publications wait to be sanitized');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, rules: this.#rules[mode], resolve, reject });
      this.#waitingBytes += draft.data.length;
      if (this.#waiting.length === 1) this.#clock.later(() => this.#turn());
    });
  }

  #turn(): void {
    const until = this.#clock.now() + this.#config.tuning.sanitize.turnMs;
    let done = 0;
    for (const { draft, rules, resolve, reject } of this.#waiting) {
      done++;
      this.#waitingBytes -= draft.data.length;
      try {
        resolve({ ...draft, data: cleanData(draft.data, rules) });
      } catch (error) {
        reject(error as Error);
      }
      if (this.#clock.now() >= until) break;
    }
    this.#waiting = this.#waiting.slice(done);
    if (this.#waiting.length > 0) this.#clock.later(() => this.#turn());
  }
}
