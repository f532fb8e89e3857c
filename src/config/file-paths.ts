import { resolve } from 'node:path';
import { isPlainObject, mapOf, type Shape } from './shape.ts';

/**
 * The raw content of a config file with every path of a file in it made absolute, from the config file's folder: a node then finds its keys wherever it is
 * started. Settings of the schema that have `filePath: true` are such paths. An empty text stays empty, which is "not set". Paths in variables and flags
 * do not pass here: they are relative to the working directory, as in every shell command.
 *
 * @returns a copy where something changed; values that do not fit the shape stay as they are, for the check to refuse
 */
export function resolveFilePaths(shape: Shape, value: unknown, folder: string): unknown {
  if (shape.filePath) return typeof value === 'string' && value !== '' ? resolve(folder, value) : value;
  if (Array.isArray(value)) {
    const { items } = shape;
    return items === undefined ? value : value.map((item) => resolveFilePaths(items, item, folder));
  }
  if (!isPlainObject(value)) return value;
  const map = mapOf(shape);
  // Entries go through fromEntries, which defines: a `__proto__` in the file stays a name, which the check refuses.
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => {
      const childShape = map?.value ?? (shape.properties && Object.hasOwn(shape.properties, name) ? shape.properties[name] : undefined);
      return [name, childShape === undefined ? child : resolveFilePaths(childShape, child, folder)];
    }),
  );
}
