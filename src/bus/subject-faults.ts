import type { BusNotice, FaultCount } from './bus.ts';
import type { SubjectFault, SubjectOptions } from './subjects.ts';

/** Maximum number of subject patterns that have been logged. Above it faults are only counted, until all patterns are forgotten. */
const PATTERNS_MAX = 256;
/** A mistake that continues is logged again after this time. */
const FORGET_AFTER_MS = 3_600_000;
/** NATS permits subjects of up to 4 KB. */
const SUBJECT_CHARS_SHOWN = 300;

/** Counts producers' messages that are not valid publications, and logs each kind of subject once an hour. */
export class SubjectFaults {
  readonly #onNotice: (level: BusNotice['level'], message: string) => void;
  readonly #nowMs: () => number;
  readonly #counts = new Map<string, { -readonly [K in keyof FaultCount]: FaultCount[K] }>();
  readonly #logged = new Set<string>();
  #loggedSinceMs: number;

  constructor(onNotice: (level: BusNotice['level'], message: string) => void, nowMs: () => number) {
    this.#onNotice = onNotice;
    this.#nowMs = nowMs;
    this.#loggedSinceMs = nowMs();
  }

  /** By namespace and fault. Both are few, because namespaces are configured. */
  counts(): Iterable<FaultCount> {
    return this.#counts.values();
  }

  /** Counts a message, and logs it if its kind has not been logged. */
  note(namespace: string, options: SubjectOptions, fault: SubjectFault, subject: string): void {
    this.count(namespace, fault, 1);
    this.log(namespace, options, fault, subject);
  }

  count(namespace: string, fault: SubjectFault, messages: number): void {
    const name = `${namespace} ${fault}`;
    const known = this.#counts.get(name);
    if (known === undefined) this.#counts.set(name, { namespace, fault, messages });
    else known.messages += messages;
  }

  log(namespace: string, options: SubjectOptions, fault: SubjectFault, subject: string): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#loggedSinceMs > FORGET_AFTER_MS) {
      this.#logged.clear();
      this.#loggedSinceMs = nowMs;
    }
    const pattern = `${fault} ${patternOf(subject, fault)}`;
    if (this.#logged.size > PATTERNS_MAX || this.#logged.has(pattern)) return;
    this.#logged.add(pattern);
    if (this.#logged.size > PATTERNS_MAX)
      this.#onNotice('warn', `more than ${PATTERNS_MAX} kinds of wrong subjects; further ones are only counted`);
    else
      this.#onNotice(
        'warn',
        `not broadcast: ${JSON.stringify(subject.slice(0, SUBJECT_CHARS_SHOWN))}: ${explain(namespace, options, fault)}`,
      );
  }

  tooMany(namespace: string, subjects: number, subjectsMax: number): void {
    this.#onNotice(
      'info',
      `${namespace} has ${subjects} subjects, more than tuning.nats.subjectCheckMax (${subjectsMax}): tokens outside the grammar are found only while it is followed`,
    );
  }
}

/** Groups subjects with the same mistake: of the same namespace and depth; if one token is wrong, with the same other tokens. */
function patternOf(subject: string, fault: SubjectFault): string {
  const tokens = subject.split('.');
  if (fault === 'wrong_depth') return `${tokens.slice(0, 2).join('.')} ${tokens.length}`;
  return tokens.map((token, i) => (i === tokens.length - 1 || !/^[\w=-]+$/.test(token) ? '*' : token)).join('.');
}

function explain(namespace: string, { state, topicTokens }: SubjectOptions, fault: SubjectFault): string {
  const keyed = state === 'keyed';
  const shape = `feed.<topic>${keyed ? '.<key>' : ''}`;
  switch (fault) {
    case 'wrong_depth': {
      const tokens = topicTokens === 0 ? '1 to 8 tokens' : `${topicTokens} ${topicTokens === 1 ? 'token' : 'tokens'} (topicTokens)`;
      return `a subject of ${namespace} is ${shape}, with topics of ${tokens}${keyed ? '; a dot in a key is written =2E' : ''}`;
    }
    case 'bad_token':
      return `tokens are 1 to 64 of A-Z a-z 0-9 _ -${keyed ? '; other bytes of a key are written =XX, as in BTC=2FUSDT' : ''}`;
    case 'key_mismatch':
      return keyed
        ? 'its Stentor-Key header names another key than its last token'
        : `it has a Stentor-Key header, and ${namespace} is not keyed`;
  }
}
