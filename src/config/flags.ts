import { elsewhere } from './elsewhere.ts';
import { type Assignment, assignmentOf, wholeBeforePart } from './layers.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { SETTINGS, settingAt, WHERE_LISTED } from './settings.ts';

/** @param flags values by path; undefined ones are not set */
export function readFlags(flags: Readonly<Record<string, unknown>>): {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly Problem[];
} {
  const assignments: Assignment[] = [];
  const problems: Problem[] = [];
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const setting = settingAt(path);
    if (setting) assignments.push(assignmentOf(setting, path, value, 'flag'));
    else problems.push({ path, expected: unknownPath(path) });
  }
  return { assignments: assignments.sort(wholeBeforePart), problems };
}

function unknownPath(path: string): string {
  const paths = SETTINGS.map((setting) => setting.path);
  if (paths.some((known) => known.startsWith(`${path}.`))) return `a section, not a setting; ${WHERE_LISTED}`;
  const near = elsewhere(path) ?? nearest(path, paths);
  return `no such setting${near === undefined ? `; ${WHERE_LISTED}` : `; did you mean ${near}?`}`;
}
