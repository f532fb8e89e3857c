import { resolve } from 'node:path';
import { isPlainObject, mapOf, type Shape } from './shape.ts';

/**
 * The raw content of a config file, with every file path in it made absolute, from the folder of the config file. So a node finds its keys wherever it is
 * started. Settings of the schema with `filePath: true` are such paths. An empty text stays empty, which means "not set". Paths in variables and flags are not
 * changed: they are relative to the working directory, as in every shell command.
 *
 * @returns a copy if something changed. Values that do not match the shape stay unchanged; the check refuses them.
 */
export function resolveFilePaths(shape: Shape, value: unknown, folder: string): unknown {
  if (shape.filePath) return typeof value === 'string' && value !== '' ? resolve(folder, value) : value;
  if (Array.isArray(value)) {
    const { items } = shape;
    return items === undefined ? value : value.map((item) => resolveFilePaths(items, item, folder));
  }
  if (!isPlainObject(value)) return value;
  const map = mapOf(shape);
  // fromEntries defines properties: a `__proto__` in the file stays a name, and the check refuses it.
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => {
      const childShape = map?.value ?? (shape.properties && Object.hasOwn(shape.properties, name) ? shape.properties[name] : undefined);
      return [name, childShape === undefined ? child : resolveFilePaths(childShape, child, folder)];
    }),
  );
}
