import { type Assignment, assignmentOf, wholeBeforePart } from './layers.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { SETTINGS, settingAt } from './settings.ts';

/** @param flags values by path; those that are undefined are not set */
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
  const near = nearest(
    path,
    SETTINGS.map((setting) => setting.path),
  );
  return `no such setting${near === undefined ? '; `stentor config --reference` lists them' : `; did you mean ${near}?`}`;
}
