import type { BusNotice, FaultCount } from './bus.ts';
import type { SubjectFault, SubjectOptions } from './subjects.ts';

/** Patterns of subjects that have been logged; past it faults are only counted, until all are forgotten. */
const PATTERNS_MAX = 256;
/** A mistake that is still being made is worth a line now and then. */
const FORGET_AFTER_MS = 3_600_000;
/** NATS takes subjects of up to 4 KB. */
const SUBJECT_CHARS_SHOWN = 300;

/** Counts the messages of producers that are no publications, and logs each kind of subject once an hour. */
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

  /** By namespace and fault. Both are few: namespaces are configured. */
  counts(): Iterable<FaultCount> {
    return this.#counts.values();
  }

  /** One message: counts it, and logs it where its kind has not been. */
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
      this.#onNotice('warn', `more than ${PATTERNS_MAX} kinds of wrong subjects: the next are only counted`);
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

/** Subjects with the same mistake: of the same namespace and depth; where one token is wrong, with the same others. */
function patternOf(subject: string, fault: SubjectFault): string {
  const tokens = subject.split('.');
  if (fault === 'wrong_depth') return `${tokens.slice(0, 2).join('.')} ${tokens.length}`;
  return tokens.map((token, i) => (i === tokens.length - 1 || !/^[\w=-]+$/.test(token) ? '*' : token)).join('.');
}

function explain(namespace: string, { keyed, topicTokens }: SubjectOptions, fault: SubjectFault): string {
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
