import { ConfigSchema } from './schema.ts';

/** The parts of JSON Schema that the config schema uses: a TypeBox schema at run time. */
export interface Shape {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  /** One entry: a map from names that match the pattern. */
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  /** Literals only. */
  readonly anyOf?: readonly { readonly const: string }[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly description?: string;
  /** The value never appears in a log, an error or the printed config. */
  readonly secret?: boolean;
  /** The value is a file path. In a config file it is relative to that file's folder, otherwise to the working directory. */
  readonly filePath?: boolean;
}

export const CONFIG_SHAPE = ConfigSchema as unknown as Shape;

/** The shape of the values of a map, and the pattern of its names; undefined if the shape is not a map. */
export function mapOf(shape: Shape): { readonly namePattern: RegExp; readonly value: Shape } | undefined {
  const entry = Object.entries(shape.patternProperties ?? {})[0];
  return entry && { namePattern: new RegExp(entry[0]), value: entry[1] };
}

/** The shape at a path (`nats.url`, `namespaces.scores.durable`, `auth.keys.0.alg`); undefined if the schema has none. */
export function shapeAt(path: string): Shape | undefined {
  let shape: Shape | undefined = CONFIG_SHAPE;
  for (const segment of path.split('.')) {
    if (shape === undefined) return undefined;
    shape = childOf(shape, segment);
  }
  return shape;
}

/** A path for display, with list indexes in brackets: `auth.keys.0.kid` → `auth.keys[0].kid`. */
export function displayPath(path: string): string {
  let shape: Shape | undefined = CONFIG_SHAPE;
  let text = '';
  for (const segment of path.split('.')) {
    const inList = shape?.type === 'array' && /^\d+$/.test(segment);
    text += inList ? `[${segment}]` : `${text === '' ? '' : '.'}${segment}`;
    shape = shape && childOf(shape, segment);
  }
  return text;
}

function childOf(shape: Shape, segment: string): Shape | undefined {
  if (shape.properties && Object.hasOwn(shape.properties, segment)) return shape.properties[segment];
  const map = mapOf(shape);
  if (map) return map.namePattern.test(segment) ? map.value : undefined;
  return /^\d+$/.test(segment) ? shape.items : undefined;
}

export function holdsSecret(shape: Shape): boolean {
  if (shape.secret) return true;
  const children = [...Object.values(shape.properties ?? {}), ...Object.values(shape.patternProperties ?? {}), shape.items];
  return children.some((child) => child !== undefined && holdsSecret(child));
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
