/** RFC 7396, as its section 2 writes it, in place: a book has a thousand levels, of which a change has a few. */
export function mergeInto(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const map = isMap(target) ? target : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete map[name];
    else map[name] = mergeInto(map[name], value);
  }
  return map;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
