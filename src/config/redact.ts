import type { Config } from './schema.ts';
import { CONFIG_SHAPE, holdsSecret, isPlainObject, mapOf, type Shape, shapeAt } from './shape.ts';

const REDACTED = '(redacted)';
const SHOWN_CHARACTERS_MAX = 200;

/** The config without its secrets: they are replaced, and so are credentials in URLs. */
export function redactConfig(config: Config): unknown {
  return redact(CONFIG_SHAPE, config);
}

/**
 * One value for an error message. A value that the schema does not know, or marks as secret, is not shown. For a map or a list of maps only the type is shown,
 * because a misplaced one may contain anything.
 */
export function printValue(path: string, value: unknown): string {
  const shape = shapeAt(path);
  if (shape === undefined || holdsSecret(shape)) return REDACTED;
  if (isPlainObject(value)) return 'a map';
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) return 'a list';
  const text = JSON.stringify(redact(shape, value)) ?? String(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
}

function redact(shape: Shape | undefined, value: unknown): unknown {
  if (shape?.secret) return value === '' || (Array.isArray(value) && value.length === 0) ? value : REDACTED;
  if (typeof value === 'string') return value.replace(/(^|\/\/|,)[^/@,\s]+@/g, `$1${REDACTED}@`);
  if (Array.isArray(value)) return value.map((item) => redact(shape?.items, item));
  if (!isPlainObject(value)) return value;
  const map = shape && mapOf(shape);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, redact(map?.value ?? shape?.properties?.[name], child)]));
}
