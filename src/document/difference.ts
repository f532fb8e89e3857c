import { type DocumentMap, isMap, put } from './value.ts';

/**
 * The merge patch that makes `after` of `before`; what is equal is left out. Undefined: no merge patch does, because one of them is no map, or a member that
 * changed is null now, also in JSON, which in a patch would delete it.
 *
 * @param before a value from a decoder, as `after`. The order of members means nothing
 */
export function difference(before: unknown, after: unknown): DocumentMap | undefined {
  return isMap(before) && isMap(after) ? differenceOfMaps(before, after) : undefined;
}

function differenceOfMaps(before: DocumentMap, after: DocumentMap): DocumentMap | undefined {
  const patch: Record<string, unknown> = {};
  for (const name of Object.keys(after)) {
    const value = after[name];
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    const change = isMap(value) && isMap(old) ? differenceOfMaps(old, value) : value;
    if (change === undefined) return undefined;
    if (change !== value ? Object.keys(change as DocumentMap).length === 0 : isSame(old, value)) continue;
    if (change === value && hasNull(value)) return undefined;
    put(patch, name, change);
  }
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) put(patch, name, null);
  return patch;
}

/** Whether it is null, or a map with a null at any level. Those within lists are values. In JSON, NaN and infinities are null. */
function hasNull(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return value === null || (isMap(value) && Object.values(value).some(hasNull));
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((value, at) => isSame(value, b[at]));
  if (a instanceof Uint8Array) return b instanceof Uint8Array && isSameBytes(a, b);
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (!isMap(a) || !isMap(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]));
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
