/** A map of a document: an object with named members. Lists, texts, numbers, bytes and times are values as a whole. */
export type DocumentMap = Readonly<Record<string, unknown>>;

/** Decoders make plain objects; bytes, times and extensions of MessagePack are objects of other kinds. */
export function isMap(value: unknown): value is DocumentMap {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Sets a member of an object that is being made. A member `__proto__` is one like any other. */
export function put(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else object[name] = value;
}

/** Levels of maps and lists: 0 for a text, 1 for `{}`. */
export function depthOf(value: unknown): number {
  if (Array.isArray(value)) return 1 + deepest(value);
  return isMap(value) ? 1 + deepest(Object.values(value)) : 0;
}

function deepest(values: readonly unknown[]): number {
  let depth = 0;
  for (const value of values) depth = Math.max(depth, depthOf(value));
  return depth;
}
