import type { Config } from './schema.ts';
import { CONFIG_SHAPE, holdsSecret, isPlainObject, mapOf, type Shape, shapeAt } from './shape.ts';

const REDACTED = '(redacted)';
const SHOWN_CHARACTERS_MAX = 200;

/** The config as it may be shown: secrets that are set are replaced, and credentials in URLs. */
export function redactConfig(config: Config): unknown {
  return redact(CONFIG_SHAPE, config);
}

/**
 * One value for an error message. What the schema does not know, or knows to hold a secret, is not shown; of a map or a list of maps
 * only what it is, since a misplaced one may hold anything.
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
  if (shape?.secret) return value === '' ? '' : REDACTED;
  if (typeof value === 'string') return value.replace(/(^|\/\/|,)[^/@,\s]+@/g, `$1${REDACTED}@`);
  if (Array.isArray(value)) return value.map((item) => redact(shape?.items, item));
  if (!isPlainObject(value)) return value;
  const map = shape && mapOf(shape);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, redact(map?.value ?? shape?.properties?.[name], child)]));
}
