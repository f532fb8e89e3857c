import { CONFIG_SHAPE, mapOf, type Shape } from './shape.ts';

/** One setting: a leaf of the schema, or a whole map. */
export interface Setting {
  /** `nats.url`; `<name>` stands for a name that the operator chooses: `namespaces.<name>.durable`. */
  readonly path: string;
  /** `STENTOR_NATS_URL`, `STENTOR_NAMESPACES__<name>__DURABLE`. */
  readonly envName: string;
  readonly shape: Shape;
}

export const NAME_PLACEHOLDER = '<name>';
export const ENV_PREFIX = 'STENTOR_';

/** Completes the error for an unknown name. */
export const WHERE_LISTED = '`stentor config --reference` and `stentor config --tuning` list them';

/** Every setting, in the schema's order. */
export const SETTINGS: readonly Setting[] = settingsOf(CONFIG_SHAPE, []);

/** Settings whose defaults suit nearly everybody: `tuning.*`. */
export function isTuning({ path }: Setting): boolean {
  return path.startsWith('tuning.');
}

const settingsByPath = new Map(SETTINGS.map((setting) => [setting.path, setting]));

/** The setting of a concrete path: `namespaces.chat.durable` → `namespaces.<name>.durable`. */
export function settingAt(path: string): Setting | undefined {
  const exact = settingsByPath.get(path);
  if (exact || !path.startsWith('namespaces.')) return exact;
  const [map, , ...option] = path.split('.');
  return settingsByPath.get([map, NAME_PLACEHOLDER, ...option].join('.'));
}

function settingsOf(shape: Shape, path: readonly string[]): Setting[] {
  const itself = { path: path.join('.'), envName: envNameOf(path), shape };
  if (shape.properties) return Object.entries(shape.properties).flatMap(([name, child]) => settingsOf(child, [...path, name]));
  const map = mapOf(shape);
  return map ? [itself, ...settingsOf(map.value, [...path, NAME_PLACEHOLDER])] : [itself];
}

/**
 * The path in SCREAMING_SNAKE case. A chosen name stands between double underscores exactly as in the config. No option has a double underscore in its own
 * name, so the last one in a variable ends the name, whatever underscores the name itself has.
 */
function envNameOf(path: readonly string[]): string {
  const at = path.indexOf(NAME_PLACEHOLDER);
  if (at === -1) return ENV_PREFIX + snake(path);
  return `${ENV_PREFIX}${snake(path.slice(0, at))}__${NAME_PLACEHOLDER}__${snake(path.slice(at + 1))}`;
}

function snake(path: readonly string[]): string {
  return path.map((segment) => segment.replace(/[A-Z]/g, '_$&').toUpperCase()).join('_');
}
