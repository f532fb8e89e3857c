import { isPlainObject, mapOf, type Shape } from './shape.ts';

/**
 * The value with all missing parts filled in from the schema, including maps (where TypeBox's `Value.Default` stops) and lists. A name without a value in YAML
 * (`nats:`) counts as missing. Values that do not match stay unchanged; the check refuses them.
 *
 * @returns a copy. Maps with chosen names have no prototype, so that a name like `constructor` exists only if it was set.
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
  // fromEntries defines properties: a `__proto__` in the file stays a name, and the check refuses it.
  const filled = Object.fromEntries(Object.entries(given));
  for (const [name, child] of Object.entries(properties)) {
    const value = withDefaults(child, Object.hasOwn(given, name) ? given[name] : undefined);
    if (value === undefined) delete filled[name];
    else filled[name] = value;
  }
  return filled;
}
