import { convertText } from './convert.ts';
import { DEFAULT_NAMESPACES } from './schema/namespaces.ts';
import { NAME_PLACEHOLDER, type Setting } from './settings.ts';
import { isPlainObject } from './shape.ts';

/** A value that overrides the file's. */
export interface Assignment {
  readonly path: string;
  readonly value: unknown;
  /** The variable or flag that set it, for error messages. */
  readonly source: string;
}

export function assignmentOf(setting: Setting, path: string, value: unknown, source: string): Assignment {
  return { path, value: typeof value === 'string' ? convertText(setting.shape, value) : value, source };
}

/**
 * Sets a value in a raw config. An option of one namespace, if no namespaces are set, changes the built-in ones. If a part of the path is not a map, the value
 * is not set: the check refuses that part.
 *
 * @param raw changed in place; it contains only own plain objects
 */
export function assign(raw: Record<string, unknown>, assignment: Assignment): void {
  const segments = assignment.path.split('.');
  const last = segments.pop() as string;
  if (segments[0] === 'namespaces') raw.namespaces ??= structuredClone(DEFAULT_NAMESPACES);
  let at: unknown = raw;
  for (const segment of segments) {
    if (!isPlainObject(at)) return;
    if (!Object.hasOwn(at, segment) || at[segment] === null) define(at, segment, {});
    at = at[segment];
  }
  if (isPlainObject(at)) define(at, last, assignment.value);
}

/** Whole maps first, then options inside them. */
export function wholeBeforePart(a: Assignment, b: Assignment): number {
  return a.path.split('.').length - b.path.split('.').length;
}

/** Like `target[name] = value`, for names from outside: `__proto__` becomes an ordinary name. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

export function isTemplate(setting: Setting): boolean {
  return setting.path.includes(NAME_PLACEHOLDER);
}
