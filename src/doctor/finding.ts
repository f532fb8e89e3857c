/** What one check found. */
export interface Finding {
  /** Stable: for programs. */
  readonly check: string;
  /** `warning`: it works, and may fail under load. `problem`: it does not work. */
  readonly state: 'ok' | 'warning' | 'problem';
  /** What was found, for people. */
  readonly text: string;
  /** What to do; absent: nothing. */
  readonly advice?: string;
}

export function ok(check: string, text: string): Finding {
  return { check, state: 'ok', text };
}

export function warning(check: string, text: string, advice: string): Finding {
  return { check, state: 'warning', text, advice };
}

export function problem(check: string, text: string, advice: string): Finding {
  return { check, state: 'problem', text, advice };
}
