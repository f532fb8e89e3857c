import { messageOf } from '../protocol/thrown.ts';
import { inTime } from '../telemetry/in-time.ts';
import { type CheckedAnswer, checkAnswer } from './answer.ts';
import type { AnswerCache } from './answer-cache.ts';
import { ALLOWED, type Outcome } from './outcome.ts';
import type { HookName, HookQuestion } from './types.ts';

export type HookResult = 'allowed' | 'denied' | 'failed' | 'busy' | 'cached' | 'joined';

export interface HookOptions {
  readonly name: HookName;
  /** The hook's subject or file, for log lines and cache keys. */
  readonly where: string;
  /** The namespace. Empty: the hook is one of connections. */
  readonly scope: string;
  readonly timeoutMs: number;
  readonly hookFailed: 'deny' | 'allow';
  /** Maximum unanswered questions, with those that wait for the answer to an equal one. */
  readonly askedMax: number;
  readonly cache: AnswerCache;
  /** Whether the one that a question is about has asked too often. Absent: nobody has. @returns why not, and when it may ask again */
  readonly refuse?: ((question: HookQuestion) => Extract<Outcome, { kind: 'busy' }> | undefined) | undefined;
  /** Rejects if there is no answer. It may take longer than `timeoutMs`: a late result is ignored. */
  readonly ask: (question: HookQuestion, timeoutMs: number) => Promise<unknown>;
  readonly onResult?: (result: HookResult, durationMs: number) => void;
  readonly onFailed?: (where: string, reason: string) => void;
  readonly nowMs?: () => number;
}

/** The answer to a question. */
interface Given {
  readonly outcome: Outcome;
  /** It is the answer to equal questions, too: the hook lets it be kept, or has failed. */
  readonly isForAll: boolean;
}

/**
 * One hook of one namespace or of connections, in code or on NATS. Applies its time-out, its bound, its cached answers and `hookFailed`. Of equal questions at the
 * same time one is asked, and the others wait for its answer. Where that may not be kept, each of them is asked after all.
 */
export class Hook {
  readonly #options: HookOptions;
  #asked = 0;
  /** Unanswered questions that equal ones wait for, by key. */
  readonly #inFlight = new Map<string, Promise<Given>>();
  /** False: the last permission was not one to keep. Then nobody waits for it, because that would only take time. */
  #keeps = true;

  constructor(options: HookOptions) {
    this.#options = options;
  }

  /** Unanswered questions. */
  get asked(): number {
    return this.#asked;
  }

  /** Never rejects. */
  async ask(question: HookQuestion): Promise<Outcome> {
    const { name, where, askedMax, cache, nowMs = Date.now } = this.#options;
    const key = keyOf(this.#options.scope, where, question);
    // Whether an expired permission goes on is always asked.
    const isAgain = isAskedAgain(question);
    const cached = key === undefined || isAgain ? undefined : cache.get(key, nowMs());
    if (cached !== undefined) return this.#done('cached', 0, cached);
    if (this.#asked >= askedMax) {
      return this.#done('busy', 0, { kind: 'busy', message: `${askedMax} questions of the ${name} hook are unanswered` });
    }
    this.#asked++;
    try {
      // Publishes of different data are no equal questions.
      return key === undefined || question.hook === 'publish'
        ? (await this.#askNow(question, key)).outcome
        : await this.#askOnce(question, key);
    } finally {
      this.#asked--;
    }
  }

  async #askOnce(question: HookQuestion, key: string): Promise<Outcome> {
    const startMs = performance.now();
    const before = this.#keeps ? this.#inFlight.get(key) : undefined;
    if (before !== undefined) {
      const { outcome, isForAll } = await before;
      if (isForAll) return this.#done('joined', performance.now() - startMs, outcome);
    }
    const asking = this.#askNow(question, key);
    const isFirst = !this.#inFlight.has(key);
    if (isFirst) this.#inFlight.set(key, asking);
    try {
      return (await asking).outcome;
    } finally {
      if (isFirst) this.#inFlight.delete(key);
    }
  }

  /** Never rejects. */
  async #askNow(question: HookQuestion, key: string | undefined): Promise<Given> {
    const { name, timeoutMs, ask, refuse } = this.#options;
    const refusal = refuse?.(question);
    if (refusal !== undefined) return { outcome: this.#done('busy', 0, refusal), isForAll: false };
    const startMs = performance.now();
    let answer: CheckedAnswer;
    try {
      answer = checkAnswer(name, await inTime(timeoutMs, ask(question, timeoutMs), () => new Error(`no answer within ${timeoutMs} ms`)));
    } catch (error) {
      answer = { kind: 'invalid', reason: messageOf(error) };
    }
    const mayKeep = answer.kind === 'allowed' && keptMsOf(answer) > 0;
    if (answer.kind === 'allowed') this.#keeps = mayKeep;
    const keptAs = isAskedAgain(question) ? undefined : key;
    return { outcome: this.#outcome(answer, keptAs, performance.now() - startMs), isForAll: mayKeep || answer.kind === 'invalid' };
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
        const { options, expiresInMs, pattern, changed } = answer;
        const outcome: Outcome = {
          kind: 'allowed',
          ...(options !== undefined && { options }),
          ...(expiresInMs !== undefined && { expiresAtMs: nowMs() + expiresInMs }),
          ...(pattern !== undefined && { pattern }),
          ...(changed !== undefined && { changed }),
        };
        const keptMs = keptMsOf(answer);
        if (key !== undefined && keptMs > 0) cache.set(key, outcome, nowMs() + keptMs);
        return this.#done('allowed', durationMs, outcome);
      }
    }
  }

  #done(result: HookResult, durationMs: number, outcome: Outcome): Outcome {
    this.#options.onResult?.(result, durationMs);
    return outcome;
  }
}

/** The question is about a permission that has expired. Its answer is not kept, but it is the answer to equal questions at the same time. */
export function isAskedAgain(question: HookQuestion): boolean {
  return (question.hook === 'connect' || question.hook === 'subscribe') && question.again;
}

/**
 * The key of a question. It contains everything in the question except the connection, and the data and the idempotency key of a publish.
 * @returns undefined: no question is equal to it
 */
function keyOf(scope: string, where: string, question: HookQuestion): string | undefined {
  if (question.hook === 'disconnect') return undefined;
  const { hook, user, info = null } = question;
  return JSON.stringify([scope, where, hook, user, info, isAskedAgain(question), ...subjectOf(question)]);
}

/** What a question is about. */
function subjectOf(question: Exclude<HookQuestion, { hook: 'disconnect' }>): unknown[] {
  switch (question.hook) {
    case 'connect':
      return [];
    case 'subscribe':
      return [question.topic, question.key ?? null, question.action, question.options];
    case 'publish':
      return [question.topic, question.key, question.image === true];
  }
}

/** For how long the answer may be used for equal questions. Changed data belongs to one publish. */
function keptMsOf({ cacheMs, expiresInMs, changed }: Extract<CheckedAnswer, { kind: 'allowed' }>): number {
  return changed === undefined ? Math.min(cacheMs, expiresInMs ?? cacheMs) : 0;
}
