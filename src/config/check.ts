import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { describeExpected } from './describe.ts';
import { elsewhere } from './elsewhere.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { isPlainObject, mapOf, type Shape } from './shape.ts';

/** Everything in a value that does not match its shape: unknown names, missing ones, values of the wrong type or out of bounds. */
export function checkShape(shape: Shape, value: unknown, path = ''): Problem[] {
  if (shape.properties) return isPlainObject(value) ? checkProperties(shape, shape.properties, value, path) : [misfit(shape, value, path)];
  const map = mapOf(shape);
  if (map) return isPlainObject(value) ? checkMap(map, value, path) : [misfit(shape, value, path)];
  if (shape.items?.properties && Array.isArray(value) && value.length <= (shape.maxItems ?? Number.POSITIVE_INFINITY)) {
    const { items } = shape;
    return value.flatMap((item, i) => checkShape(items, item, join(path, String(i))));
  }
  return Value.Check(shape as TSchema, value) ? [] : [misfit(shape, value, path)];
}

function checkProperties(
  shape: Shape,
  properties: Readonly<Record<string, Shape>>,
  value: Record<string, unknown>,
  path: string,
): Problem[] {
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(properties, name));
  const missing = (shape.required ?? []).filter((name) => !Object.hasOwn(value, name));
  return [
    ...unknown.map((name) => unknownName(name, Object.keys(properties), path)),
    ...missing.map((name) => ({ path: join(path, name), expected: `missing: expected ${describeExpected(properties[name] as Shape)}` })),
    ...Object.entries(properties).flatMap(([name, child]) =>
      Object.hasOwn(value, name) ? checkShape(child, value[name], join(path, name)) : [],
    ),
  ];
}

function checkMap(map: NonNullable<ReturnType<typeof mapOf>>, value: Record<string, unknown>, path: string): Problem[] {
  return Object.entries(value).flatMap(([name, child]) => {
    if (map.namePattern.test(name)) return checkShape(map.value, child, join(path, name));
    return [{ path: join(path, name), expected: `expected a name matching ${map.namePattern.source}` }];
  });
}

function unknownName(name: string, known: readonly string[], path: string): Problem {
  const near = nearest(name, known);
  const meant = elsewhere(join(path, name)) ?? (near === undefined ? undefined : join(path, near));
  const hint = meant === undefined ? `; known here: ${known.join(', ')}` : `; did you mean ${meant}?`;
  return { path: join(path, name), expected: `no such setting${hint}` };
}

function misfit(shape: Shape, value: unknown, path: string): Problem {
  return { path, value, expected: `expected ${describeExpected(shape)}` };
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
