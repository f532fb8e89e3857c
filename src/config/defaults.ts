import { isPlainObject, mapOf, type Shape } from './shape.ts';

/**
 * The value with everything that is missing filled in from the schema, down into maps (`Value.Default` of TypeBox stops there) and lists.
 * A name with nothing after it in YAML (`nats:`) counts as missing. Values that do not fit stay as they are, for the check to refuse.
 *
 * @returns a copy; maps with chosen names have no prototype, so that a name like `constructor` is there only if it was set
 */
export function withDefaults(shape: Shape, value: unknown): unknown {
  const given = value ?? structuredClone(shape.default);
  if (shape.properties) return isPlainObject(given) ? fill(shape.properties, given) : given;
  const map = mapOf(shape);
  if (map && isPlainObject(given)) {
    const filled: Record<string, unknown> = Object.create(null);
    for (const [name, child] of Object.entries(given)) filled[name] = withDefaults(map.value, child ?? {});
    return filled;
  }
  const { items } = shape;
  return items && Array.isArray(given) ? given.map((item) => withDefaults(items, item)) : given;
}

function fill(properties: Readonly<Record<string, Shape>>, given: Record<string, unknown>): Record<string, unknown> {
  // Entries go through fromEntries, which defines: a `__proto__` in the file stays a name, which the check refuses.
  const filled = Object.fromEntries(Object.entries(given));
  for (const [name, child] of Object.entries(properties)) {
    const value = withDefaults(child, Object.hasOwn(given, name) ? given[name] : undefined);
    if (value === undefined) delete filled[name];
    else filled[name] = value;
  }
  return filled;
}
