import { type CheckedAnswer, checkAnswer } from './answer.ts';
import type { AnswerCache } from './answer-cache.ts';
import { ALLOWED, type Outcome } from './outcome.ts';
import type { HookName, HookQuestion } from './types.ts';

export type HookResult = 'allowed' | 'denied' | 'failed' | 'busy' | 'cached';

export interface HookOptions {
  readonly name: HookName;
  /** The hook's subject or file, for log lines and cache keys. */
  readonly where: string;
  /** The namespace. Empty: the hook is one of connections. */
  readonly scope: string;
  readonly timeoutMs: number;
  readonly hookFailed: 'deny' | 'allow';
  /** Maximum unanswered questions. */
  readonly askedMax: number;
  readonly cache: AnswerCache;
  /** Rejects if there is no answer. It may take longer than `timeoutMs`: a late result is ignored. */
  readonly ask: (question: HookQuestion, timeoutMs: number) => Promise<unknown>;
  readonly onResult?: (result: HookResult, durationMs: number) => void;
  readonly onFailed?: (where: string, reason: string) => void;
  readonly nowMs?: () => number;
}

/** One hook of one namespace or of connections, in code or on NATS. Applies its time-out, its bound, its cached answers and `hookFailed`. */
export class Hook {
  readonly #options: HookOptions;
  #asked = 0;

  constructor(options: HookOptions) {
    this.#options = options;
  }

  /** Unanswered questions. */
  get asked(): number {
    return this.#asked;
  }

  /** Never rejects. */
  async ask(question: HookQuestion): Promise<Outcome> {
    const { name, where, timeoutMs, askedMax, cache, nowMs = Date.now } = this.#options;
    const key = cacheKey(this.#options.scope, where, question);
    const cached = key === undefined ? undefined : cache.get(key, nowMs());
    if (cached !== undefined) return this.#done('cached', 0, cached);
    if (this.#asked >= askedMax) {
      return this.#done('busy', 0, { kind: 'busy', message: `${askedMax} questions of the ${name} hook are unanswered` });
    }
    const startMs = performance.now();
    this.#asked++;
    let answer: CheckedAnswer;
    try {
      answer = checkAnswer(name, await within(timeoutMs, this.#options.ask(question, timeoutMs)));
    } catch (error) {
      answer = { kind: 'invalid', reason: error instanceof Error ? error.message : String(error) };
    } finally {
      this.#asked--;
    }
    return this.#outcome(answer, key, performance.now() - startMs);
  }

  #outcome(answer: CheckedAnswer, key: string | undefined, durationMs: number): Outcome {
    const { hookFailed, where, cache, onFailed, nowMs = Date.now } = this.#options;
    switch (answer.kind) {
      case 'invalid':
        onFailed?.(where, answer.reason);
        return this.#done('failed', durationMs, hookFailed === 'allow' ? ALLOWED : { kind: 'failed' });
      case 'denied':
        return this.#done('denied', durationMs, answer);
      case 'allowed': {
        const { options, expiresInMs, changed, cacheMs } = answer;
        const outcome: Outcome = {
          kind: 'allowed',
          ...(options !== undefined && { options }),
          ...(expiresInMs !== undefined && { expiresAtMs: nowMs() + expiresInMs }),
          ...(changed !== undefined && { changed }),
        };
        const keptMs = Math.min(cacheMs, expiresInMs ?? cacheMs);
        if (key !== undefined && keptMs > 0 && changed === undefined) cache.set(key, outcome, nowMs() + keptMs);
        return this.#done('allowed', durationMs, outcome);
      }
    }
  }

  #done(result: HookResult, durationMs: number, outcome: Outcome): Outcome {
    this.#options.onResult?.(result, durationMs);
    return outcome;
  }
}

/**
 * The cache key of a question. It contains everything in the question except the connection and the data of a publish.
 * @returns undefined: the answer is not cached. A question about an expired permission always reaches the hook
 */
function cacheKey(scope: string, where: string, question: HookQuestion): string | undefined {
  if (question.hook === 'disconnect' || (question.hook === 'subscribe' && question.again)) return undefined;
  const { hook, user, info = null } = question;
  const about = question.hook === 'connect' ? [] : [question.topic];
  const how = question.hook === 'subscribe' ? [question.action, question.options] : [];
  return JSON.stringify([scope, where, hook, user, info, ...about, ...how]);
}

async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
